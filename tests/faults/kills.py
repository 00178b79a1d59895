"""Workers that die, at every moment of a shard's life, by kill -9 or as a machine that is shut down."""

import os
import signal
import time
from random import Random

from relex.db import model_versions
from relex.labels import RELATIONS
from relex.model import folder
from relex.registry.model_versions import install, locate
from relex.registry.workspace import staging_folder
from tests.factories import fill_checkpoint
from tests.faults.arena import LEASE, PAIR, Arena
from tests.faults.catalogue import all_scored, fault
from tests.faults.oracle import Expected
from tests.faults.proxy import Connection, Cut, Moment


def _killed_at(arena: Arena, draw: Random, moment: Moment, most: int) -> list[Expected]:
    """The worker that meets the moment for the n-th time dies in it, and is started again."""
    dead: list[str] = []

    def die(connection: Connection) -> None:
        arena.fleet.kill(connection.client)
        dead.append(connection.client)
        raise Cut

    trap = arena.trap(moment, die, draw.randint(1, most))
    job = arena.submit()
    assert trap.sprung.wait(60), f"nobody met {moment}"
    arena.fleet.start(dead[0])
    return all_scored(arena, job)


@fault("worker killed after its claim")
def after_claim(arena: Arena, draw: Random) -> list[Expected]:
    return _killed_at(arena, draw, Moment.CLAIMED, 8)


@fault("worker killed in a batch")
def in_a_batch(arena: Arena, draw: Random) -> list[Expected]:
    job, worker, process = arena.hold(draw)
    if draw.random() < 0.5:
        arena.fleet.kill(worker)
        arena.fleet.start(worker)
    else:  # its parent lives and makes another
        os.kill(process, signal.SIGKILL)
    return all_scored(arena, job)


@fault("worker killed in the COPY of its predictions")
def in_copy(arena: Arena, draw: Random) -> list[Expected]:
    return _killed_at(arena, draw, Moment.COPYING, 12)


@fault("worker killed before its COMMIT")
def before_commit(arena: Arena, draw: Random) -> list[Expected]:
    return _killed_at(arena, draw, Moment.COMMITTING, 8)


@fault("worker killed after its COMMIT")
def after_commit(arena: Arena, draw: Random) -> list[Expected]:
    return _killed_at(arena, draw, Moment.COMMITTED, 8)


@fault("all workers dead for a while")
def all_dead(arena: Arena, draw: Random) -> list[Expected]:
    job, _, _ = arena.hold(draw)
    arena.fleet.kill(*PAIR)
    time.sleep(draw.uniform(0.2, 1.2 * LEASE))
    arena.fleet.muster(*PAIR)
    return all_scored(arena, job)


@fault("worker asked to end in a batch (SIGTERM), then killed")
def reported_and_killed(arena: Arena, draw: Random) -> list[Expected]:
    job, worker, process = arena.hold(draw)
    arena.fleet.workers[worker].process.terminate()
    arena.pause(draw)
    if draw.random() < 0.5:
        arena.let_go(process)  # killed while it gives the shard back
        arena.pause(draw, 0.1)
    arena.fleet.kill(worker)
    arena.fleet.start(worker)
    return all_scored(arena, job)


@fault("worker asked to end in a batch (SIGTERM)")
def asked(arena: Arena, draw: Random) -> list[Expected]:
    job, worker, process = arena.hold(draw)
    arena.fleet.workers[worker].process.terminate()
    time.sleep(0.3)  # for the word to reach the child
    arena.let_go(process)
    arena.fleet.end(worker)
    mine = f"worker LIKE '%%:{process}' AND"
    assert arena.ask(f"SELECT count(*) FROM shards WHERE {mine} state = 'running'") == 0, "it kept its shard"
    assert arena.ask("SELECT sum(crashes) FROM shards") == 0, "it counted as a crash"
    arena.fleet.start(worker)
    return all_scored(arena, job)


@fault("two databases share a home, and each has a model of the same name and number")
def shared_home(arena: Arena, draw: Random) -> list[Expected]:
    """Another database registers its own fake@1; then a worker dies, and its successor loads ours."""
    job, worker, _ = arena.hold(draw)
    with arena.other_database() as other:
        config = f"{draw.random()}"
        with other.transaction() as tx, staging_folder(arena.settings, "fake") as checkpoint:
            fill_checkpoint(checkpoint)
            (checkpoint / "config.json").write_text(config)
            theirs = model_versions.register(tx, "fake", RELATIONS, folder.digests(checkpoint))
            install(arena.settings, checkpoint, theirs)
        assert str(theirs) == "fake@1", "it is not the same name and number"
        found = locate(other, arena.settings, "fake@1")
    assert (found / "config.json").read_text() == config, "the other database lost its model"
    arena.fleet.kill(worker)
    arena.fleet.start(worker)
    return all_scored(arena, job)
