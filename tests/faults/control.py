"""Cancel, retry, pause and resume, in every state of a job and in the worst moments of its workers."""

from collections.abc import Callable
from random import Random
from threading import Thread

from relex.db.connection import Database
from relex.domain.jobs import JobId, JobState
from relex.errors import RelexError
from relex.flows.control import cancel, pause, resume, retry
from tests.faults import truth
from tests.faults.arena import PAIR, Arena
from tests.faults.catalogue import all_scored, fault
from tests.faults.leases import REFUSED
from tests.faults.oracle import Expected
from tests.faults.proxy import Connection, Moment
from tests.faults.scorer import RAISES
from tests.faults.scorer import REFUSED as REFUSED_ROW
from tests.processes import wait_until

UNSCORED = "SELECT row_no FROM examples JOIN shards USING (job_id) WHERE row_no >= first_row AND row_no < end_row"


@fault("cancelled while it waits, then tried again")
def cancelled_waiting(arena: Arena, draw: Random) -> list[Expected]:
    arena.fleet.muster()
    job = arena.submit()
    _refused(arena, job, retry_plainly)
    _cancelled(arena, job)
    _refused(arena, job, cancel, pause, resume)
    arena.fleet.muster(*PAIR)
    arena.pause(draw)
    return _again(arena, job)


@fault("cancelled in a batch for good")
def cancelled_for_good(arena: Arena, draw: Random) -> list[Expected]:
    """What was scored is kept and can be exported; the worker that was at it is refused."""
    job, worker, process = arena.hold(draw)
    _cancelled(arena, job)
    with arena.database.transaction() as tx:
        missing = frozenset(tx.exec_driver_sql(f"{UNSCORED} AND state <> 'done'").scalars().all())
    arena.let_go(process, "lie")
    wait_until(lambda: arena.fleet.workers[worker].said(REFUSED), 60)
    return [Expected(job, truth.plain(arena.rows), state=JobState.CANCELLED, missing=missing)]


@fault("cancelled in a batch, and tried again while the worker is still at it")
def cancelled_and_retried(arena: Arena, draw: Random) -> list[Expected]:
    job, worker, process = arena.hold(draw)
    _refused(arena, job, retry_plainly, resume)
    _cancelled(arena, job)
    expected = _again(arena, job)
    arena.pause(draw, 1)
    arena.let_go(process, "lie")
    wait_until(lambda: arena.fleet.workers[worker].said(REFUSED), 60)
    return expected


@fault("cancelled at a COMMIT, then tried again")
def cancelled_at_commit(arena: Arena, draw: Random) -> list[Expected]:
    """The shard whose COMMIT is on its way is done or cancelled, never both."""
    job: list[JobId] = []
    cancelling: list[Thread] = []

    def meet(_: Connection) -> None:
        wait_until(lambda: bool(job))
        cancelling.append(Thread(target=lambda: _cancelled(arena, job[0])))
        cancelling[0].start()
        arena.pause(draw, 0.1)

    trap = arena.trap(Moment.COMMITTING, meet, draw.randint(1, 6))
    job.append(arena.submit())
    assert trap.sprung.wait(60), "nobody committed"
    cancelling[0].join()
    assert arena.progress(job[0]).state is JobState.CANCELLED
    return _again(arena, job[0])


@fault("cancelled, its worker killed, tried again")
def cancelled_and_killed(arena: Arena, draw: Random) -> list[Expected]:
    job, worker, _ = arena.hold(draw)
    _cancelled(arena, job)
    arena.fleet.kill(worker)
    arena.fleet.start(worker)
    return _again(arena, job)


@fault("paused in a batch, its worker killed or not, and resumed")
def paused(arena: Arena, draw: Random) -> list[Expected]:
    job, worker, process = arena.hold(draw)
    pause(arena.database, job)
    _refused(arena, job, pause, retry_plainly)
    if draw.random() < 0.5:
        arena.fleet.kill(worker)
        arena.fleet.start(worker)
    else:
        arena.let_go(process)
    wait_until(lambda: arena.progress(job).running_shards == 0, 60)
    assert arena.progress(job).state is JobState.PAUSED
    resume(arena.database, job)
    arena.ring(1)
    return all_scored(arena, job)


@fault("every command on a job that is done")
def done(arena: Arena, draw: Random) -> list[Expected]:
    job = arena.submit()
    wait_until(lambda: arena.progress(job).state.ended)
    _refused(arena, job, cancel, pause, resume, retry_plainly)
    return all_scored(arena, job)


@fault("rows that failed, tried again")
def rows_again(arena: Arena, draw: Random) -> list[Expected]:
    """They fail again, and nothing else is touched."""
    bad = frozenset(draw.sample(range(arena.rows), 5))
    examples = truth.marked(arena.rows, bad, REFUSED_ROW)
    path = arena.folder / "refused.csv"
    path.unlink(missing_ok=True)
    job = arena.submit(truth.write_file(path, examples))
    wait_until(lambda: arena.progress(job).state.ended)
    retry(arena.database, job, rows=True)
    arena.ring(5)
    return [Expected(job, examples, bad)]


@fault("a shard of which every row raises, and its retry", 90, long=True)
def failed_again(arena: Arena, draw: Random) -> list[Expected]:
    """No row is to blame: the job fails, after three attempts, and again after a retry; the other shards are kept."""
    shard = -(-arena.rows // 12)
    first = draw.randrange(11) * shard
    bad = frozenset(range(first, min(first + shard, arena.rows)))
    examples = truth.marked(arena.rows, bad, RAISES)
    path = arena.folder / "failing.csv"
    path.unlink(missing_ok=True)
    job = arena.submit(truth.write_file(path, examples))
    wait_until(lambda: arena.progress(job).state.ended)
    assert arena.progress(job).state is JobState.FAILED
    _again(arena, job)
    return [Expected(job, examples, state=JobState.FAILED, missing=bad)]


def retry_plainly(database: Database, job: JobId) -> object:
    """As without `--rows`."""
    return retry(database, job, rows=False)


def _cancelled(arena: Arena, job: JobId) -> None:
    cancel(arena.database, job)
    assert arena.progress(job).state is JobState.CANCELLED


def _again(arena: Arena, job: JobId) -> list[Expected]:
    arena.ring(retry(arena.database, job, rows=False).pending_shards)
    return all_scored(arena, job)


def _refused(arena: Arena, job: JobId, *commands: Callable[[Database, JobId], object]) -> None:
    """What cannot be done in this state is reported in words."""
    for command in commands:
        assert job in _message_of(lambda command=command: command(arena.database, job)), f"{command} was possible"


def _message_of(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except RelexError as fault:
        return str(fault)
    return ""
