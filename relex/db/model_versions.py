"""Model versions: register, find and promote them. Postgres ensures that at most one is current."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import Row, func, insert, null, select, text, update

from relex.db.connection import Transaction
from relex.db.tables import model_versions
from relex.domain.calibration import Calibration, Curve, curve_of
from relex.domain.runs import RunId
from relex.domain.versions import FP32, ModelVersion, Scores, TrainingFile
from relex.errors import ModelNotFound, did_you_mean, quoted
from relex.hints import jobs as hints

# To register and to promote read before they write; one transaction at a time keeps numbers and `current` consistent.
LOCK = text("LOCK TABLE model_versions IN SHARE ROW EXCLUSIVE MODE")

table = model_versions
# A calibration has hundreds of kilobytes: it is read only where it is needed.
COLUMNS = (
    *(column for column in table.c if column is not table.c.calibration),
    table.c.calibration.is_not(None).label("calibrated"),
)


def register(  # noqa: PLR0913 - the columns of a version's row, in one call
    tx: Transaction,
    name: str,
    labels: Sequence[str],
    digests: Mapping[str, str],
    scores: Sequence[Scores] = (),
    run_id: RunId | None = None,
    *,
    note: str | None = None,
    trained_on: Sequence[TrainingFile] | None = None,
    calibration: Calibration | None = None,
) -> ModelVersion:
    """Register a checkpoint under the next number of its name.

    A checkpoint that is registered already (by its digests) keeps its number and gets what is new: scores on other
    files, a note, and its training files if they are not recorded yet.
    """
    tx.execute(LOCK)
    row = tx.execute(select(*COLUMNS).where(table.c.name == name).where(table.c.digests == dict(digests))).first()
    if row is not None:
        version = _version(row)
        for each in scores:
            add_scores(tx, version, each)
        updates = {"note": note, "trained_on": None if version.trained_on else _files(trained_on)}
        if changes := {name: value for name, value in updates.items() if value is not None}:
            tx.execute(update(table).where(table.c.model == str(version)).values(changes))
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
        "calibration": None if calibration is None else json.loads(calibration.to_json()),
        "created_at": func.now(),
    }
    return _version(tx.execute(insert(table).values(values).returning(*COLUMNS)).one())


def promote(tx: Transaction, version: ModelVersion) -> None:
    """Make a version the current one, to which new jobs are pinned."""
    tx.execute(LOCK)
    tx.execute(update(table).where(table.c.current).values(current=False))
    tx.execute(update(table).where(table.c.model == str(version)).values(current=True))


def promote_over(tx: Transaction, version: ModelVersion, rival: ModelVersion | None) -> bool:
    """Promote a version if the one it was compared with is still current; return whether it was promoted."""
    tx.execute(LOCK)
    now = current(tx)
    if (now and str(now)) != (rival and str(rival)):
        return False
    promote(tx, version)
    return True


def add_scores(tx: Transaction, version: ModelVersion, scores: Scores) -> None:
    """Record the scores of a version on one file.

    Each file has one entry. Scores in fp32 replace the entry, because versions are compared by them; scores in another
    precision are recorded only if there is no entry yet.
    """
    mine = table.c.model == str(version)
    recorded = tx.scalars(select(table.c.scores).where(mine).with_for_update()).one()
    if scores.precision != FP32 and any(each["data_sha256"] == scores.data_sha256 for each in recorded):
        return
    others = [each for each in recorded if each["data_sha256"] != scores.data_sha256]
    tx.execute(update(table).where(mine).values(scores=[*others, asdict(scores)]))


def current(tx: Transaction) -> ModelVersion | None:
    """Return the current version, to which new jobs are pinned; None if there is none."""
    row = tx.execute(select(*COLUMNS).where(table.c.current)).one_or_none()
    return None if row is None else _version(row)


def find(tx: Transaction, model_ref: str) -> ModelVersion:
    """Return the version called `name@number`, or the newest one called `name`.

    Raises:
        ModelNotFound: no version has this name; the message suggests the closest one.
    """
    matches = (table.c.model == model_ref) | (table.c.name == model_ref)
    row = tx.execute(select(*COLUMNS).where(matches).order_by(table.c.number.desc()).limit(1)).first()
    if row is None:
        hint = did_you_mean(model_ref, tx.scalars(select(table.c.model)).all())
        raise ModelNotFound(f"no model version called {quoted(model_ref)}{hint}; {hints.list_models()}")
    return _version(row)


def every(tx: Transaction) -> list[ModelVersion]:
    """Return all versions, newest first."""
    return [_version(row) for row in tx.execute(select(*COLUMNS).order_by(table.c.created_at.desc()))]


def calibration_of(tx: Transaction, model: str) -> Calibration | None:
    """Return the calibration of the version `name@number`; None if it has none, or there is no such version."""
    data = tx.scalar(select(table.c.calibration).where(table.c.model == model))
    return None if data is None else Calibration.from_data(data)


def confidence_curve(tx: Transaction, model: str) -> Curve | None:
    """Return the curve that calibrates the confidence of the version `name@number`; None if it has none."""
    data = tx.scalar(select(table.c.calibration["confidence"]).where(table.c.model == model))
    return None if data is None else curve_of(data)


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
        calibrated=values["calibrated"],
    )
