"""The command line killed at work: a submit leaves nothing, an export leaves no file that looks whole."""

import shutil
import signal
import subprocess
from pathlib import Path
from random import Random

from relex.domain.jobs import JobId
from tests.faults.arena import Arena
from tests.faults.catalogue import all_scored, fault
from tests.faults.oracle import Expected
from tests.faults.proxy import Connection, Cut, Moment
from tests.processes import wait_until


def killed(arena: Arena, moment: Moment, nth: int, *arguments: str | Path) -> None:
    """Run a command that is killed -9 when it meets the moment."""
    running: list[subprocess.Popen[bytes]] = []

    def die(_: Connection) -> None:
        wait_until(lambda: bool(running))
        running[0].kill()
        raise Cut

    trap = arena.trap(moment, die, nth, client="command")
    with arena.command_started(*arguments) as process:
        running.append(process)
        assert process.wait(timeout=60) == -signal.SIGKILL, f"it never met {moment}"
    assert trap.sprung.is_set()


@fault("submit killed in its upload")
def killed_in_upload(arena: Arena, draw: Random) -> list[Expected]:
    killed(arena, Moment.UPLOADING, draw.randint(1, 1 + arena.rows // 300), "submit", arena.file())
    return _nothing_then_all(arena)


@fault("submit killed before its COMMIT")
def killed_before_commit(arena: Arena, draw: Random) -> list[Expected]:
    killed(arena, Moment.SUBMITTING, 1, "submit", arena.file())
    return _nothing_then_all(arena)


@fault("submit killed after its COMMIT, before the doorbell")
def killed_after_commit(arena: Arena, draw: Random) -> list[Expected]:
    """The job is there, and nobody was rung for: a sweep finds it; the same submit again finds the same job."""
    killed(arena, Moment.SUBMITTED, 1, "submit", arena.file())
    job = arena.command_submit()
    assert arena.ask("SELECT count(*) FROM jobs") == 1, "the same file made two jobs"
    return all_scored(arena, job)


def _nothing_then_all(arena: Arena) -> list[Expected]:
    tables = ("jobs", "examples", "shards")
    assert [arena.ask(f"SELECT count(*) FROM {table}") for table in tables] == [0, 0, 0], "half a job was left"
    assert arena.doorbells() == 0, "it had rung for nothing"
    return all_scored(arena, arena.command_submit())


@fault("export killed while it writes")
def killed_in_export(arena: Arena, draw: Random) -> list[Expected]:
    job, out = scored(arena)
    killed(arena, Moment.EXPORTING, 1, "export", job, "--out", out)
    assert not list(out.glob("j-*")), "a file that looks whole was left"
    return _exported(arena, job, out)


@fault("disk full for an export")
def full_disk(arena: Arena, draw: Random) -> list[Expected]:
    """No file of the command may grow beyond a few bytes: the same to it as a disk without room."""
    job, out = scored(arena)
    done = arena.command("export", job, "--out", out, largest_file=draw.randint(1, 2000))
    assert done.returncode == 1, done.stderr
    assert "cannot be written" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert not list(out.iterdir()), "something was left behind"
    return _exported(arena, job, out)


def scored(arena: Arena) -> tuple[JobId, Path]:
    job = arena.submit()
    wait_until(lambda: arena.progress(job).state.ended)
    out = arena.folder / "exports"
    out.mkdir(exist_ok=True)
    for path in out.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return job, out


def _exported(arena: Arena, job: JobId, out: Path) -> list[Expected]:
    """The next export is whole; the oracle makes one more of its own."""
    done = arena.command("export", job, "--out", out)
    assert done.returncode == 0, done.stderr
    assert (out / f"{job}.manifest.json").is_file()
    return all_scored(arena, job)
