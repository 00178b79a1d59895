"""The checks of the work: its workers, their progress, and the model versions that it needs."""

from collections.abc import Iterator

from relex.db import model_versions as table
from relex.db import server
from relex.db.connection import Database
from relex.domain.versions import ModelVersion
from relex.errors import BadCheckpoint, ModelNotFound, counted
from relex.flows.checks.result import CheckResult, error
from relex.hints import doctor as hints
from relex.registry import model_versions
from relex.settings import Settings


def work(database: Database, settings: Settings) -> Iterator[CheckResult]:
    """Check the model versions, the queued work, and shards that are released repeatedly."""
    yield from _models(database, settings)
    yield _waiting(database, settings)
    with database.transaction() as tx:
        stuck = server.given_back(tx)
    for each in stuck:
        text = f"{counted(each.shards, 'shard')} of {each.job_id} released repeatedly: {each.error}"
        yield error("shards", text, hints.look_at_worker(each.job_id))


def _models(database: Database, settings: Settings) -> Iterator[CheckResult]:
    """Check the current version, and those of open jobs."""
    with database.transaction() as tx:
        current = table.current(tx)
        versions = table.every(tx)
        versions_in_use = {str(version): version for version in (current, *server.open_models(tx)) if version}
    if current is None:
        yield error("model", "no model version is current", hints.choose_model(str(versions[0]) if versions else None))
    for version in versions_in_use.values():
        yield _model(settings, version)


def _model(settings: Settings, version: ModelVersion) -> CheckResult:
    try:
        return CheckResult("model", f"{version} in {model_versions.checkpoint_folder(settings, version)}")
    except (BadCheckpoint, ModelNotFound, OSError) as exc:
        return error("model", str(exc), hints.copy_model(model_versions.version_dir(settings, version)))


def _waiting(database: Database, settings: Settings) -> CheckResult:
    """Check that a worker is connected if work waits."""
    with database.transaction() as tx:
        facts = server.facts(tx)
        shards, runs = server.waiting(tx)
    text = f"{counted(shards, 'shard')} and {counted(runs, 'training run')} wait, "
    text += f"{counted(facts.workers, 'connection')} of workers"
    if (shards or runs) and not facts.workers:
        start = hints.start_worker(broker=settings.broker_url is not None)
        return error("workers", f"{text}: no worker is running", start)
    return CheckResult("workers", text)
