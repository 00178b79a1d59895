"""Small valid things for tests: examples, a registered model version, a queued job, a fake scorer."""

import csv
import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from relex.db import examples, jobs, model_versions, shards
from relex.db.connection import Database
from relex.domain.calibration import Calibration, Curve, Profile, ValidationRows
from relex.domain.examples import Entity, Example, Prediction
from relex.domain.jobs import Job, NewJob
from relex.files.inputs import open_input
from relex.files.options import AUTO, ReadOptions
from relex.flows.submit import Submission, SubmitOptions, check_files, submit
from relex.labels import RELATIONS
from relex.model import folder


def example(row_no: int, label: str | None = None) -> Example:
    """A valid example whose text depends on its number."""
    name = f"회사{row_no}"
    sentence = f"{name}의 대표는 김{row_no}이다."
    start = sentence.index(f"김{row_no}")
    subject = Entity(name, 0, len(name), "ORG")
    object_ = Entity(f"김{row_no}", start, start + len(f"김{row_no}"), "PER")
    return Example(row_no, f"id-{row_no}", sentence, subject, object_, label, "relex")


def prediction(item: Example) -> Prediction:
    """What the fake scorer says: a pure function of the example's own text."""
    best = int(hashlib.sha256(item.sentence.encode()).hexdigest(), 16) % len(RELATIONS)
    rest = 0.5 / (len(RELATIONS) - 1)
    probabilities = tuple(0.5 if index == best else rest for index in range(len(RELATIONS)))
    return Prediction(item.row_no, RELATIONS[best], probabilities, truncated=item.row_no % 10 == 0)


class FakeScorer:
    """Fits `relex.flows.score.Scorer`; batches of four in reverse order, as a sorted scorer would."""

    batch = 4

    def __init__(self, folder: Path | None = None, device: str = "cpu", exact: bool = False) -> None:
        pass

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        turned = list(reversed(examples))
        for start in range(0, len(turned), self.batch):
            yield [prediction(item) for item in turned[start : start + self.batch]]


class SlowScorer(FakeScorer):
    """Takes long enough for a test to kill its process in the middle of a shard."""

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        for batch in super().score(examples):
            time.sleep(0.1)
            yield batch


def register_model(database: Database, home: Path | None = None) -> str:
    """A current model version, with files only where a home is given."""
    digests = {"config.json": "fake"}
    if home and not (home / "models").exists():
        digests = folder.digests(fill_checkpoint(home / "models" / "fake" / "1"))
    with database.transaction() as tx:
        version = model_versions.current(tx) or model_versions.register(tx, "fake", RELATIONS, digests)
        model_versions.promote(tx, version)
    return str(version)


def without_cells(items: Iterable[Example]) -> Iterator[tuple[Example, None]]:
    """Examples as they are stored whose cells can all be rebuilt."""
    return ((item, None) for item in items)


PLAINLY = SubmitOptions()


def submit_file(
    database: Database,
    path: Path,
    options: SubmitOptions = PLAINLY,
    shard_rows: int = 512,
    reading: ReadOptions = AUTO,
) -> Submission:
    """The job of one file."""
    with open_input(path, reading) as file:
        [submission] = submit(database, check_files([file]), options, shard_rows)
        return submission


def make_job(database: Database, rows: int = 10, shard_rows: int = 4, key: str | None = None) -> Job:
    """A queued job of `rows` examples."""
    model = register_model(database)
    with database.transaction() as tx:
        job_id = jobs.insert_job(tx, NewJob(key or f"key-{rows}-{shard_rows}", "a.csv", "0" * 64, model, rows, 0))
        assert job_id is not None
        examples.copy_in(tx, job_id, without_cells(map(example, range(rows))))
        shards.create_shards(tx, job_id, rows, shard_rows)
        return jobs.find(tx, job_id)


def fill_checkpoint(checkpoint: Path) -> Path:
    """Files that look like a checkpoint to everybody but torch."""
    checkpoint.mkdir(parents=True)
    for name in folder.READ_BY_SCORING:
        (checkpoint / name).write_text(name)
    return checkpoint


def write_csv(path: Path, rows: Iterable[Example]) -> None:
    """Write examples as a person's CSV, with their labels."""

    def cell(entity: Entity) -> str:
        return repr({"word": entity.text, "start_idx": entity.start, "end_idx": entity.end - 1, "type": entity.type})

    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "sentence", "subject_entity", "object_entity", "label"])
        writer.writerows([each.id, each.sentence, cell(each.subject), cell(each.object), each.label] for each in rows)


def calibration() -> Calibration:
    """What a calibration looks like whose probabilities are believed, but for a fifth, from rows of the factory."""
    curve = Curve((0.0, 1.0), (0.0, 0.8), ((0.0, 0.75), (0.0, 0.85)))
    rows = ValidationRows((0.9, 0.8, 0.7, 0.6), (True, True, True, False), (0, 0, 1, 1), ("ORG-PER a", "ORG-PER relex"))
    labels = {"org:top_members/employees": 300, "no_relation": 100}
    profile = Profile(400, {"ORG-PER": 390, "PER-PER": 10}, {"relex": 400}, {"up to 50": 400}, labels, {})
    return Calibration(
        data_sha256="0" * 64,
        out_of_fold=False,
        accuracy=75.0,
        micro_f1=80.0,
        confidence=curve,
        relation=curve,
        no_relation=curve,
        validation=rows,
        trained=profile,
        validated=replace(profile, predicted=labels),
    )
