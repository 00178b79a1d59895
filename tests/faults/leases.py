"""Workers that are slow, stopped, hung or of another time: what they hold goes to others, what they say is too late."""

import time
from random import Random

from relex.db import model_versions, runs
from relex.domain.jobs import JobState
from relex.flows.control import cancel
from relex.flows.submit import SubmitOptions
from relex.labels import RELATIONS
from tests.faults import truth
from tests.faults.arena import LEASE, PAIR, Arena
from tests.faults.catalogue import all_scored, fault
from tests.faults.fleet import QUIET, TERMS, resume, stop
from tests.faults.oracle import Expected
from tests.faults.proxy import Connection, Moment
from tests.processes import wait_until

REFUSED = "another worker has this shard, or it was cancelled"
GIVEN_UP = "the lease is given up"
"""Logged by the thread that renews, and again when the work learns of it."""

HELD_BY = "SELECT COALESCE(max(token), 0) FROM shards WHERE state = 'running' AND worker LIKE '%%:{}'"


def _other(worker: str) -> str:
    return next(name for name in PAIR if name != worker)


@fault("two workers on one shard")
def two_on_one(arena: Arena, draw: Random) -> list[Expected]:
    """The first is stopped past its lease and continued while the second is at work; what it says is wrong."""
    arena.plan(draw)
    job = arena.submit(shards=1)
    first = arena.held()
    late = arena.fleet.workers[arena.fleet.owner(first)]
    stop(late)
    arena.plan(draw, _other(arena.fleet.owner(first)))
    second = arena.held(first)
    arena.let_go(first, "lie")
    resume(late)
    arena.pause(draw, LEASE)
    arena.let_go(second)
    wait_until(lambda: late.said(REFUSED), 60)
    return all_scored(arena, job)


@fault("worker stopped past its lease and continued")
def stopped_and_continued(arena: Arena, draw: Random) -> list[Expected]:
    job, worker, process = arena.hold(draw)
    late = arena.fleet.workers[worker]
    token = arena.ask(HELD_BY.format(process))
    stop(late)
    wait_until(lambda: arena.ask(f"SELECT count(*) FROM shards WHERE token = {token}") == 0, 60)
    arena.pause(draw, LEASE)
    arena.let_go(process, "lie")
    resume(late)
    wait_until(lambda: late.said(REFUSED), 60)
    return all_scored(arena, job)


@fault("a commit that arrives after the lease")
def late_commit(arena: Arena, draw: Random) -> list[Expected]:
    """The network holds the last words of one worker back until another has the shard in hand."""
    arena.plan(draw)
    job = arena.submit(shards=1)
    first = arena.held()
    worker = arena.fleet.owner(first)
    held_by_other: list[int] = []

    def wait(_: Connection) -> None:
        held_by_other.append(arena.held(first))

    trap = arena.trap(Moment.FINISHING, wait, client=worker)
    arena.plan(draw, _other(worker))
    arena.let_go(first, "lie")
    assert trap.sprung.wait(60), "the other worker did not take the shard"
    late = arena.fleet.workers[worker]
    wait_until(lambda: late.said(REFUSED) or arena.progress(job).state.ended, 60)
    arena.let_go(held_by_other[0])
    return all_scored(arena, job)


@fault("the sweep races a completion")
def sweep_races(arena: Arena, draw: Random) -> list[Expected]:
    """A COMMIT takes longer than the lease, while both workers sweep."""
    trap = arena.trap(Moment.COMMITTING, lambda _: time.sleep(LEASE * draw.uniform(0.9, 1.6)), draw.randint(1, 8))
    job = arena.submit()
    assert trap.sprung.wait(60), "nobody committed"
    return all_scored(arena, job)


@fault("worker stopped in its COMMIT")
def stopped_in_commit(arena: Arena, draw: Random) -> list[Expected]:
    """It stays so, with its transaction open, until all is over: the others must not wait for it."""
    stopped: list[str] = []

    def freeze(connection: Connection) -> None:
        stop(arena.fleet.workers[connection.client])
        stopped.append(connection.client)
        wait_until(lambda: not stopped, 120)

    trap = arena.trap(Moment.COMMITTING, freeze, draw.randint(1, 8))
    job = arena.submit()
    assert trap.met.wait(60), "nobody committed"
    try:
        wait_until(lambda: arena.progress(job).state.ended, 60)
    finally:
        resume(arena.fleet.workers[stopped.pop()])
    return all_scored(arena, job)


@fault("device hung while its process lives")
def hung(arena: Arena, draw: Random) -> list[Expected]:
    """Nothing moves for longer than the worker may be stalled; its lease is given up, and it computes no further."""
    job, worker, process = arena.hold(draw)
    wait_until(lambda: arena.progress(job).done == arena.rows, TERMS["stall_seconds"] + 20)
    arena.let_go(process, "lie")
    wait_until(lambda: arena.fleet.workers[worker].said(GIVEN_UP, twice=True), 60)
    return all_scored(arena, job)


@fault("a batch that takes longer than the lease")
def long_batch(arena: Arena, draw: Random) -> list[Expected]:
    """The lease is renewed while the process lives; many sweeps look at the shard and leave it alone."""
    job, _, process = arena.hold(draw)
    _outlast(arena, process)
    arena.let_go(process)
    return all_scored(arena, job)


def _outlast(arena: Arena, process: int) -> None:
    """The shard that a process holds is still its own after more than a lease."""
    before = arena.ask(HELD_BY.format(process))
    time.sleep(LEASE * 1.5)
    assert arena.ask(HELD_BY.format(process)) == before > 0, "its lease did not hold"


@fault("a worker's clock is hours ahead")
def skewed(arena: Arena, draw: Random) -> list[Expected]:
    """It holds a shard for longer than a lease, renews it, and is believed; nobody else's shard is taken for late."""
    arena.fleet.end("b")
    arena.fleet.start("ahead", clock=True)
    arena.fleet.wait_for("ahead")
    arena.plan(draw, "ahead")
    job = arena.submit()
    process = arena.held()
    _outlast(arena, process)
    arena.let_go(process)
    wait_until(lambda: arena.progress(job).state.ended)
    assert arena.ask("SELECT sum(crashes) FROM shards") == 0, "somebody was taken for dead"
    wrong = "SELECT count(*) FROM shards WHERE finished_at > clock_timestamp() OR started_at > clock_timestamp()"
    assert arena.ask(wrong) == 0, "its clock came into Postgres"
    return all_scored(arena, job)


@fault("doorbell of a submit whose COMMIT is slow, and nobody sweeps")
def slow_submit(arena: Arena, draw: Random) -> list[Expected]:
    """The bell alone must do: it is rung after the COMMIT, or it is heard by somebody who finds nothing."""
    arena.fleet.muster()
    arena.fleet.start("bell", sweep_seconds=QUIET)
    arena.fleet.wait_for("bell")
    arena.trap(Moment.SUBMITTING, lambda _: time.sleep(draw.uniform(0.5, 1.5)))
    job = arena.command_submit()
    return all_scored(arena, job)


@fault("a training process frozen while it registers its version")
def frozen_registration(arena: Arena, draw: Random) -> list[Expected]:
    """Its run is locked and its lease runs out, while a worker dies: everybody else is recovered and closed."""
    job, worker, _ = arena.hold(draw)
    with arena.database.transaction() as tx:
        runs.insert_run(tx, "frozen", {}, "/")
        run = runs.claim(tx, "frozen", 0)
    assert run is not None
    with arena.database.transaction() as frozen:
        runs.lock_run(frozen, run)
        arena.fleet.kill(worker)
        arena.fleet.start(worker)
        wait_until(lambda: arena.progress(job).state.ended, 60)
    with arena.database.transaction() as tx:
        runs.cancel(tx, run)
    return all_scored(arena, job)


@fault("a model that no worker can load, beside a healthy job")
def unloadable(arena: Arena, draw: Random) -> list[Expected]:
    """Its job is the more urgent one, and must not keep the other from being scored."""
    with arena.database.transaction() as tx:
        broken = model_versions.register(tx, "broken", RELATIONS, {"config.json": "nowhere"})
    urgent = arena.submit(options=SubmitOptions(model=str(broken), priority=9))
    arena.pause(draw)
    healthy = arena.submit()
    wait_until(lambda: arena.progress(healthy).state.ended, 60)
    assert "cannot load broken@1" in str(arena.progress(urgent).reason)
    cancel(arena.database, urgent)
    nothing = frozenset(range(arena.rows))
    missing = Expected(urgent, truth.plain(arena.rows), state=JobState.CANCELLED, missing=nothing)
    return [*all_scored(arena, healthy), missing]
