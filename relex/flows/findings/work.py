"""The work: whether somebody is there for it, gets on with it, and has the models that it asks for."""

from collections.abc import Iterator

from relex.db import models as table
from relex.db import server
from relex.db.connection import Database
from relex.errors import BadCheckpoint, ModelNotFound
from relex.flows import models
from relex.flows.findings.finding import Finding, broken
from relex.hints import doctor as hints
from relex.runs import ModelVersion
from relex.settings import Settings


def work(database: Database, settings: Settings) -> Iterator[Finding]:
    """What is wrong with the models and with what waits."""
    yield from _models(database, settings)
    yield _waiting(database, settings)
    with database.transaction() as tx:
        stuck = server.given_back(tx)
    for each in stuck:
        text = f"{each.shards} shards of {each.job_id} are given back again and again: {each.error}"
        yield broken("shards", text, hints.look_at_worker(each.job_id))


def _models(database: Database, settings: Settings) -> Iterator[Finding]:
    """The current version, and those that open jobs are pinned to."""
    with database.transaction() as tx:
        current = table.current(tx)
        versions = table.every(tx)
        wanted = {str(version): version for version in (current, *server.open_models(tx)) if version}
    if current is None:
        yield broken("model", "no model version is current", hints.choose_model(str(versions[0]) if versions else None))
    for version in wanted.values():
        yield _model(settings, version)


def _model(settings: Settings, version: ModelVersion) -> Finding:
    try:
        return Finding("model", f"{version} in {models.checkpoint_folder(settings, version)}")
    except (BadCheckpoint, ModelNotFound, OSError) as fault:
        return broken("model", str(fault), hints.copy_model(models.home_of(settings, version)))


def _waiting(database: Database, settings: Settings) -> Finding:
    """Whether a worker is connected where something waits."""
    with database.transaction() as tx:
        found = server.facts(tx)
        shards, runs = server.waiting(tx)
    text = f"{shards} shards and {runs} training runs wait, {found.workers} connections of workers"
    if (shards or runs) and not found.workers:
        start = hints.start_worker(broker=settings.broker_url is not None)
        return broken("workers", f"{text}: nobody is at work", start)
    return Finding("workers", text)
