"""Checkpoints that vote: the folder is whole, and a scorer of it says what its members say together."""

import random

import numpy as np
import pytest

from relex.encoding.markers import Scheme
from relex.errors import BadCheckpoint
from relex.evaluation.voting import vote
from relex.inference import ensemble
from relex.inference.ensemble import Ensemble, open_scorer
from relex.inference.scorer import Scorer
from relex.labels import RELATIONS
from relex.model import folder as layout
from relex.model.checkpoint import save
from relex.model.ensemble import EnsembleConfig, Vote, read_ensemble, write_ensemble


@pytest.fixture
def checkpoints(tmp_path, build, tokenizer):
    """Two classifiers: of other input schemes, other weights, and other label orders."""
    first, second = tmp_path / "first", tmp_path / "second"
    save(first, build(), tokenizer, {"README.md": "one"})
    other = build(scheme=Scheme.ENTITY_MARKER, labels=RELATIONS[::-1], max_length=40)
    for weights in other.parameters():
        weights.data.mul_(1.5)
    save(second, other, tokenizer, {})
    return [first, second]


@pytest.fixture
def made(tmp_path, checkpoints):
    """Make an ensemble of the two."""

    def make(how=Vote.SOFT, weights=None, name="both", of=checkpoints):
        config = EnsembleConfig(vote=how, members=tuple(each.name for each in of), weights=weights)
        write_ensemble(tmp_path / name, of, config, {"metrics.json": "{}"})
        return tmp_path / name

    return make


@pytest.fixture
def many(make_example):
    rng = random.Random(5)
    sentences = ["".join(rng.choices(["가", "나", "다 "], k=rng.randrange(60))) + "비틀즈와 조지" for _ in range(30)]
    return [
        make_example(number, text, (len(text) - 7, len(text) - 4), (len(text) - 2, len(text)))
        for number, text in enumerate(sentences)
    ]


def test_an_example_that_one_member_cannot_score_has_its_error_and_spares_the_others(made, many, make_example):
    scorer = open_scorer(made(), "cpu")
    fits_the_first = make_example(1000, "비 " * 50 + "조", (0, 99), (100, 101))
    fits_none = make_example(1001, "비 " * 200 + "조", (0, 399), (400, 401))
    found = by_row(scorer, [fits_the_first, *many, fits_none])
    errors = [found.pop(row_no) for row_no in (1000, 1001)]
    assert found == by_row(scorer, many)
    assert ["the window has room for 38" in error.message for error in errors] == [True, False]
    assert ["the window has room for 158" in error.message for error in errors] == [False, True]
    assert set(by_row(scorer, [fits_none])) == {1001}


def by_row(scorer, examples):
    return {prediction.row_no: prediction for batch in scorer.score(examples) for prediction in batch}


@pytest.mark.parametrize(("how", "weights"), [(how, (0.3, 0.7) if how is Vote.WEIGHTED else None) for how in Vote])
def test_it_says_what_its_members_say_together(made, checkpoints, many, how, weights, monkeypatch):
    monkeypatch.setattr(ensemble, "BLOCK", 8)
    scorer = open_scorer(made(how, weights), "cpu")
    assert isinstance(scorer, Ensemble)
    assert scorer.labels == RELATIONS
    batches = list(scorer.score(many))
    assert [len(batch) for batch in batches] == [8, 8, 8, 6]
    found = {prediction.row_no: prediction for batch in batches for prediction in batch}
    one, other = (by_row(Scorer(place, "cpu"), many) for place in checkpoints)
    assert any(other[row].truncated and not one[row].truncated for row in one)
    for row in range(len(many)):
        members = np.array([[one[row].probabilities], [other[row].probabilities[::-1]]])
        together = vote(members, how, None if weights is None else np.array(weights))[0]
        assert found[row].probabilities == pytest.approx(together.tolist(), abs=1e-5)
        assert found[row].label == RELATIONS[int(np.argmax(found[row].probabilities))]
        assert found[row].truncated == (one[row].truncated or other[row].truncated)
        assert type(found[row].probabilities[0]) is float


def test_an_ensemble_may_be_a_member(made, checkpoints, many):
    inner = made()
    outer = made(name="outer", of=[inner, checkpoints[0]])
    predictions = by_row(open_scorer(outer, "cpu"), many)
    parts = [by_row(open_scorer(place, "cpu"), many) for place in (inner, checkpoints[0])]
    for row, prediction in predictions.items():
        mean = np.mean([part[row].probabilities for part in parts], axis=0)
        assert prediction.probabilities == pytest.approx(mean.tolist(), abs=1e-5)


def test_the_folder_is_complete_by_itself(made, checkpoints):
    place = made(Vote.WEIGHTED, (0.25, 0.75))
    assert {path.name for path in place.iterdir()} == {"ensemble.json", "member-1", "member-2", "metrics.json"}
    assert (place / "member-1" / "README.md").read_text("utf-8") == "one"
    assert read_ensemble(place).weights == (0.25, 0.75)
    assert layout.read_labels(place) == RELATIONS
    assert layout.classifiers(place) == [place / "member-1", place / "member-2"]
    digests = layout.digests(place)
    inside = {f"member-{number}/{name}" for number in (1, 2) for name in layout.READ_BY_SCORING}
    assert set(digests) == {"ensemble.json", *inside}
    assert digests["member-2/config.json"] == layout.digests(checkpoints[1])["config.json"]
    assert list(place.parent.glob(".*")) == []


def test_what_is_altered_or_missing_is_found(made):
    place = made()
    digests = layout.digests(place)
    layout.verify(place, digests)
    path = place / "member-2" / "config.json"
    text = path.read_text("utf-8")
    path.unlink()
    path.write_text(text.replace("0.1", "0.2"), "utf-8")
    with pytest.raises(BadCheckpoint, match=r"member-2/config\.json altered"):
        layout.verify(place, digests)
    path.unlink()
    with pytest.raises(BadCheckpoint, match=r"member-2: missing config\.json"):
        layout.digests(place)
    (place / "member-2").rename(place / "elsewhere")
    with pytest.raises(BadCheckpoint, match="does not match the members in the folder"):
        open_scorer(place, "cpu")


@pytest.mark.parametrize(
    "text", ["{", '{"vote": "loud", "members": ["a", "b"]}', '{"vote": "weighted", "members": ["a", "b"]}', "[]"]
)
def test_a_damaged_ensemble_file_is_named(made, text):
    place = made()
    (place / "ensemble.json").write_text(text, "utf-8")
    with pytest.raises(BadCheckpoint, match=r"ensemble\.json"):
        read_ensemble(place)


def test_a_bad_member_leaves_nothing_behind(made, checkpoints, tmp_path):
    (checkpoints[1] / "model.safetensors").unlink()
    with pytest.raises(BadCheckpoint, match="second: missing model"):
        made()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]


def test_members_stay_what_they_are_when_the_ensemble_goes(made, checkpoints):
    before = layout.digests(checkpoints[0])
    place = made()
    for path in sorted(place.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert layout.digests(checkpoints[0]) == before
