"""A version's calibration: from the file in its folder to its row, covered by its digests."""

import json
import shutil

import pytest

from relex.db import model_versions as versions
from relex.errors import BadCheckpoint
from relex.model import folder
from relex.model.calibration import read_calibration, write_calibration
from relex.registry import model_versions
from relex.registry.importing import import_folder
from tests.factories import calibration


@pytest.fixture
def checkpoint(tmp_path):
    """A copy of the checkpoint that ships with relex, with a calibration."""
    copy = shutil.copytree(model_versions.SHIPPED / "starter", tmp_path / "mine")
    write_calibration(copy, calibration())
    return copy


def test_what_is_written_is_read_again(checkpoint):
    assert read_calibration(checkpoint) == calibration()
    assert [path.name for path in checkpoint.iterdir() if path.name.startswith(".")] == []


def test_an_imported_folder_brings_its_calibration(database, settings, checkpoint):
    version = import_folder(database, settings, checkpoint, "mine")
    assert version.calibrated
    assert folder.CALIBRATION in version.digests
    with database.transaction() as tx:
        assert versions.calibration_of(tx, str(version)) == calibration()
        assert versions.calibration_of(tx, "mine@2") is None
    assert model_versions.locate(database, settings, "mine").joinpath(folder.CALIBRATION).is_file()


def test_a_version_without_one_claims_nothing(database, settings, checkpoint):
    (checkpoint / folder.CALIBRATION).unlink()
    version = import_folder(database, settings, checkpoint, "mine")
    assert not version.calibrated
    with database.transaction() as tx:
        assert versions.calibration_of(tx, str(version)) is None


def test_a_calibration_that_was_altered_is_refused(database, settings, checkpoint):
    import_folder(database, settings, checkpoint, "mine")
    place = model_versions.locate(database, settings, "mine")
    text = (place / folder.CALIBRATION).read_text("utf-8")
    (place / folder.CALIBRATION).write_text(text.replace('"accuracy":75.0', '"accuracy":95.0'), "utf-8")
    with pytest.raises(BadCheckpoint, match=r"calibration\.json altered since"):
        model_versions.locate(database, settings, "mine")


def test_the_shipped_checkpoint_is_registered_with_its_calibration(database, settings, checkpoint, monkeypatch):
    monkeypatch.setattr(model_versions, "SHIPPED", checkpoint.parent)
    model_versions.register_shipped(database, settings)
    assert {version.name: version.calibrated for version in model_versions.every(database)}["mine"]


BENT = {
    "no JSON": lambda _: "{",
    "a list": lambda _: [],
    "another format": lambda content: content | {"format": 2},
    "a knot that is text": lambda content: content | {"confidence": content["confidence"] | {"knots": ["a", "b"]}},
    "knots that fall": lambda content: content | {"relation": content["relation"] | {"knots": [1.0, 0.0]}},
    "a value above 1": lambda content: content | {"no_relation": content["no_relation"] | {"values": [0.0, 7.0]}},
    "a value that is no number": lambda content: content | {"relation": content["relation"] | {"values": [0.0, 1e999]}},
    "a curve without knots": lambda content: content | {"relation": {"knots": [], "values": [], "replicates": []}},
    "rows of two lengths": lambda content: content | {"validation": content["validation"] | {"right": [True]}},
    "a category that is none": lambda content: (
        content | {"validation": content["validation"] | {"category": [99] * len(content["validation"]["right"])}}
    ),
    "a count that is text": lambda content: content | {"trained": content["trained"] | {"sources": {"a": "x"}}},
    "a score above 100": lambda content: content | {"accuracy": 1000.0},
    "a key too many": lambda content: content | {"extra": 1},
}


@pytest.mark.parametrize("bend", BENT.values(), ids=BENT.keys())
def test_a_damaged_calibration_is_named_and_nothing_is_registered(database, settings, checkpoint, bend):
    bent = bend(json.loads(calibration().to_json()))
    text = bent if isinstance(bent, str) else json.dumps(bent)
    (checkpoint / folder.CALIBRATION).write_text(text, "utf-8")
    with pytest.raises(BadCheckpoint, match=r"mine/calibration\.json: .*restore"):
        import_folder(database, settings, checkpoint, "mine")
    assert model_versions.every(database) == []
