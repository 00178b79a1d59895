"""Services that go away: Redis with all it held, Postgres in the worst moments, the network between."""

import time
from random import Random
from threading import Timer

from relex.flows.submit import SubmitOptions
from tests.faults.arena import LEASE, Arena
from tests.faults.catalogue import all_scored, fault
from tests.faults.oracle import Expected
from tests.faults.proxy import Connection, Cut, Moment
from tests.processes import wait_until


@fault("Redis forgets everything (FLUSHALL)")
def redis_flushed(arena: Arena, draw: Random) -> list[Expected]:
    job, _, process = arena.hold(draw)
    with arena.redis.client() as redis:
        redis.flushall()
    arena.let_go(process)
    return all_scored(arena, job)


@fault("Redis killed and restarted empty")
def redis_killed(arena: Arena, draw: Random) -> list[Expected]:
    job, _, process = arena.hold(draw)
    arena.redis.kill()
    arena.pause(draw)
    if early := draw.random() < 0.5:
        arena.let_go(process)
    arena.pause(draw, 1)
    arena.redis.start()
    if not early:
        arena.let_go(process)
    return all_scored(arena, job, arena.submit(options=SubmitOptions(again=True)))


@fault("Redis down at submit")
def redis_down(arena: Arena, draw: Random) -> list[Expected]:
    arena.redis.kill()
    job = arena.submit()
    arena.pause(draw, 1)
    arena.redis.start()
    return all_scored(arena, job)


@fault("Redis paused")
def redis_paused(arena: Arena, draw: Random) -> list[Expected]:
    arena.redis.pause()
    Timer(draw.uniform(0.5, 2), arena.redis.resume).start()
    return all_scored(arena, arena.submit())


@fault("connections to Redis cut")
def redis_cut(arena: Arena, draw: Random) -> list[Expected]:
    job, _, process = arena.hold(draw)
    with arena.redis.client() as redis:
        for kind in ("normal", "pubsub"):
            redis.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    arena.pause(draw)
    arena.let_go(process)
    return all_scored(arena, job)


@fault("one doorbell a hundred times")
def rung_a_hundred_times(arena: Arena, draw: Random) -> list[Expected]:
    job = arena.submit(shards=draw.randint(2, 12))
    with arena.redis.client() as redis:
        bell = redis.lindex("score", 0)
        while bell is None:
            arena.ring(1)
            bell = redis.lindex("score", 0)
        redis.rpush("score", *[bell] * 100)
    return all_scored(arena, job)


@fault("Postgres restarted")
def postgres_restarted(arena: Arena, draw: Random) -> list[Expected]:
    job, _, process = arena.hold(draw)
    if early := draw.random() < 0.5:
        arena.let_go(process)
        arena.pause(draw, 0.1)
    arena.postgres.stop()
    if not early:
        arena.let_go(process)
    arena.pause(draw, 1)
    arena.postgres.start()
    return all_scored(arena, job)


@fault("Postgres away for longer than a lease, while a result is held")
def outage_longer_than_lease(arena: Arena, draw: Random) -> list[Expected]:
    """Nobody is to blame for it: no crash and no attempt is counted."""
    job, _, process = arena.hold(draw)
    arena.postgres.stop()
    arena.let_go(process)
    time.sleep(LEASE * draw.uniform(1.2, 2.5))
    arena.postgres.start()
    wait_until(lambda: arena.has_ended(job), 60)
    assert arena.ask("SELECT COALESCE(sum(crashes + attempt), 0) FROM shards") == 0, (
        "somebody was blamed for the outage"
    )
    return all_scored(arena, job)


def _killed_at(arena: Arena, moment: Moment, nth: int, *, after: bool = False, pause: float = 0.0) -> list[Expected]:
    """kill -9 of Postgres when a message comes; `after`: Postgres gets the message first."""

    def die(connection: Connection) -> None:
        if after:
            connection.send(b"Q\0\0\0\x0bCOMMIT\0")
            time.sleep(pause)
        arena.postgres.kill()
        raise Cut

    trap = arena.trap(moment, die, nth)
    job = arena.submit()
    assert trap.sprung.wait(60), f"nobody met {moment}"
    arena.postgres.start()
    return all_scored(arena, job)


@fault("Postgres killed in a COPY")
def postgres_killed_in_copy(arena: Arena, draw: Random) -> list[Expected]:
    return _killed_at(arena, Moment.COPYING, draw.randint(1, 12))


@fault("Postgres killed at COMMIT")
def postgres_killed_at_commit(arena: Arena, draw: Random) -> list[Expected]:
    return _killed_at(arena, Moment.COMMITTING, draw.randint(1, 8), after=True, pause=draw.random() * 0.002)


def _cut_at(arena: Arena, draw: Random, moment: Moment) -> list[Expected]:
    def cut(_: Connection) -> None:
        raise Cut

    trap = arena.trap(moment, cut, draw.randint(1, 8))
    job = arena.submit()
    assert trap.sprung.wait(60), f"nobody met {moment}"
    return all_scored(arena, job)


@fault("connection to Postgres cut before a COMMIT")
def cut_before_commit(arena: Arena, draw: Random) -> list[Expected]:
    return _cut_at(arena, draw, Moment.COMMITTING)


@fault("connection to Postgres cut after a COMMIT, the answer lost")
def cut_after_commit(arena: Arena, draw: Random) -> list[Expected]:
    return _cut_at(arena, draw, Moment.COMMITTED)


@fault("disk full for data", disk=True)
def disk_full(arena: Arena, draw: Random) -> list[Expected]:
    job, _, process = arena.hold(draw)
    with arena.postgres.full_disk():
        arena.let_go(process)
        time.sleep(draw.uniform(0.3, 1.5))
    arena.postgres.start()  # where the log had no room Postgres is down, and was started by the process that made room
    return all_scored(arena, job)
