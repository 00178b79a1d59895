"""A trainer that trains nothing, for tests of what surrounds a training."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from relex.db import model_versions as versions
from relex.files.paths import sha256_of
from relex.labels import RELATIONS
from relex.model import folder
from tests.processes import ROOT


@dataclass
class FakeTrainer:
    """Fits `relex.flows.train.Trainer`; what it writes depends on its score alone."""

    score: float = 50.0
    rival: float = 40.0
    error: Exception | None = None
    reported: float | None = None
    data: str = "f" * 64
    during: Callable[[], object] = lambda: None
    at_the_end: Callable[[], object] = lambda: None

    def train(self, config, train, valid, folder, report, scratch):
        assert (len(train), len(valid)) == (241, 75)
        scratch.mkdir(parents=True)
        self.during()
        report({"step": 1, "steps": 2, "history": []})
        if self.error:
            raise self.error
        write_checkpoint(folder, self.score, self.reported, self.data)
        self.at_the_end()

    def evaluate(self, folder, examples):
        return replace(self, score=self.rival)

    @property
    def micro_f1(self):
        return self.score

    auprc = micro_f1


def write_checkpoint(place, score, reported=None, data="f" * 64):
    """The same score makes the same weights; `reported` is the score on a file with this digest."""
    place.mkdir(parents=True)
    for name in folder.READ_BY_SCORING:
        (place / name).write_text(f"{name} {score}")
    (place / folder.CONFIG).write_text(json.dumps({"id2label": dict(enumerate(RELATIONS)), "score": score}))
    reported = score if reported is None else reported
    found = {"sha256": data, "examples": 75, "micro_f1": reported, "auprc": reported}
    trained = {"data": [{"file": "train_data.csv", "sha256": sha256_of(ROOT / "data" / "train_data.csv")}]}
    (place / folder.METRICS).write_text(json.dumps({"validation": found, "training": trained}))


SECTIONS = {
    "name": "tiny",
    "backbone": {"scratch": {}},
    "data": {"train": "data/train_data.csv", "valid": "data/valid_data.csv"},
}


def current(database):
    with database.transaction() as tx:
        return str(versions.current(tx))
