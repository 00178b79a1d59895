import json
from pathlib import Path
from unicodedata import is_normalized

import pytest

from relex.files.inputs import open_input
from relex.files.reading import read_examples, read_rows
from relex.files.validation import Tally, check_table, survey

FOLDER = Path(__file__).parents[3] / "shared" / "klue-re"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the KLUE-RE files are not part of the repository")


@pytest.mark.parametrize(
    ("name", "rows", "encoding", "placeholder"),
    [
        ("train_data.csv", 25_976, "utf-8", None),
        ("valid_data.csv", 6_494, "utf-8 with BOM", None),
        ("test_data.csv", 7_765, "utf-8", "100"),
    ],
)
def test_klue_re_is_accepted_whole(name, rows, encoding, placeholder):
    path = FOLDER / name
    facts = check_table(path)
    assert (facts.rows, facts.rejected, facts.form.encoding, facts.placeholder) == (rows, 0, encoding, placeholder)
    assert facts.labeled == (0 if placeholder else rows)
    count = 0
    for example in read_examples(path, facts):
        assert example.row_no == count
        assert example.sentence[example.subject.start : example.subject.end] == example.subject.text
        count += 1
    assert count == rows


@pytest.mark.parametrize("name", ["train_data.csv", "valid_data.csv", "test_data.csv"])
def test_nearly_every_cell_of_klue_re_can_be_rebuilt_from_its_example(name):
    """A job of such a file stores the names of its columns, and the few cells that were not in NFC."""
    with open_input(FOLDER / name) as file:
        rows = read_rows(file, survey(file).reading, Tally(), skip_invalid=False)
        stored = [json.loads(cells) for _, cells in rows if cells]
    assert len(stored) < 5
    assert not any(is_normalized("NFC", cell) for cells in stored for cell in cells.values())
