"""Model versions: registering, finding and promoting them. At most one is current, and Postgres sees to it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import Row, func, insert, null, select, text, update

from relex.db.connection import Transaction
from relex.db.tables import model_versions
from relex.domain.runs import RunId
from relex.domain.versions import FP32, ModelVersion, Scores, TrainingFile
from relex.errors import ModelNotFound, did_you_mean, quoted
from relex.hints import jobs as hints

# Registering and promoting read before they write; one at a time keeps numbers and `current` straight.
LOCK = text("LOCK TABLE model_versions IN SHARE ROW EXCLUSIVE MODE")

table = model_versions


def register(  # noqa: PLR0913 - what a version's row is made of, in one call
    tx: Transaction,
    name: str,
    labels: Sequence[str],
    digests: Mapping[str, str],
    scores: Sequence[Scores] = (),
    run_id: RunId | None = None,
    *,
    note: str | None = None,
    trained_on: Sequence[TrainingFile] | None = None,
) -> ModelVersion:
    """Give a checkpoint the next number of its name.

    The same checkpoint (by digests) keeps the one it has, and gets what is new: scores on other files, a note, what it
    was trained on if it did not say yet.
    """
    tx.execute(LOCK)
    known = tx.execute(select(table).where(table.c.name == name).where(table.c.digests == dict(digests))).first()
    if known is not None:
        version = _version(known)
        for each in scores:
            add_scores(tx, version, each)
        learned = {"note": note, "trained_on": None if version.trained_on else _files(trained_on)}
        if news := {name: value for name, value in learned.items() if value is not None}:
            tx.execute(update(table).where(table.c.model == str(version)).values(news))
        return find(tx, str(version))
    number = 1 + (tx.scalar(select(func.max(table.c.number)).where(table.c.name == name)) or 0)
    values = {
        "model": f"{name}@{number}",
        "name": name,
        "number": number,
        "labels": list(labels),
        "digests": dict(digests),
        "scores": [asdict(each) for each in scores],
        "current": False,
        "run_id": run_id,
        "note": note,
        "trained_on": null() if trained_on is None else _files(trained_on),
        "created_at": func.now(),
    }
    return _version(tx.execute(insert(table).values(values).returning(*table.c)).one())


def promote(tx: Transaction, version: ModelVersion) -> None:
    """Make a version the one that new jobs are pinned to."""
    tx.execute(LOCK)
    tx.execute(update(table).where(table.c.current).values(current=False))
    tx.execute(update(table).where(table.c.model == str(version)).values(current=True))


def promote_over(tx: Transaction, version: ModelVersion, rival: ModelVersion | None) -> bool:
    """Promote a version if the one it was compared with is still current; whether it was done."""
    tx.execute(LOCK)
    now = current(tx)
    if (now and str(now)) != (rival and str(rival)):
        return False
    promote(tx, version)
    return True


def add_scores(tx: Transaction, version: ModelVersion, scores: Scores) -> None:
    """Remember how a version does on one more file.

    There is one score a file. One in fp32 replaces what is there, for those are compared with each other; any other
    precision is kept only where there is none yet.
    """
    mine = table.c.model == str(version)
    known = tx.scalars(select(table.c.scores).where(mine).with_for_update()).one()
    if scores.precision != FP32 and any(each["data_sha256"] == scores.data_sha256 for each in known):
        return
    kept = [each for each in known if each["data_sha256"] != scores.data_sha256]
    tx.execute(update(table).where(mine).values(scores=[*kept, asdict(scores)]))


def current(tx: Transaction) -> ModelVersion | None:
    """The version that new jobs are pinned to, if there is one."""
    row = tx.execute(select(table).where(table.c.current)).one_or_none()
    return None if row is None else _version(row)


def find(tx: Transaction, given: str) -> ModelVersion:
    """The version called `name@number`, or the newest called `name`.

    Raises:
        ModelNotFound: with the closest known name.
    """
    fits = (table.c.model == given) | (table.c.name == given)
    row = tx.execute(select(table).where(fits).order_by(table.c.number.desc()).limit(1)).first()
    if row is None:
        known = tx.scalars(select(table.c.model)).all()
        hint = did_you_mean(given, known)
        raise ModelNotFound(f"no model version called {quoted(given)}{hint}; {hints.list_models()}")
    return _version(row)


def every(tx: Transaction) -> list[ModelVersion]:
    """All versions, newest first."""
    return [_version(row) for row in tx.execute(select(table).order_by(table.c.created_at.desc()))]


def _files(trained_on: Sequence[TrainingFile] | None) -> list[dict[str, object]] | None:
    return None if trained_on is None else [asdict(each) for each in trained_on]


def _version(row: Row[tuple[object, ...]]) -> ModelVersion:
    values = row._asdict()
    files = values["trained_on"]
    return ModelVersion(
        name=values["name"],
        number=values["number"],
        labels=tuple(values["labels"]),
        digests=values["digests"],
        scores=tuple(Scores(**each) for each in values["scores"]),
        created_at=values["created_at"],
        current=values["current"],
        run_id=values["run_id"],
        note=values["note"],
        trained_on=None if files is None else tuple(TrainingFile(**each) for each in files),
    )
