"""Every file that people were seen to bring: it is read as what it is, or refused with what helps."""

import pytest

from relex.errors import InvalidCsv
from relex.files.forms.tables import open_table
from relex.files.inputs import open_input
from relex.files.options import ReadOptions
from relex.files.reading import read_all_examples, read_rows
from relex.files.validation import Tally, check, survey
from tests.files.real_columns import COLUMNS
from tests.files.real_entities import ENTITIES
from tests.files.real_forms import FORMS
from tests.files.real_life import SENTENCES

FILES = (*FORMS, *COLUMNS, *ENTITIES)
READABLE = [each for each in FILES if not each.refused]


@pytest.fixture
def put(tmp_path):
    """put(file): its path and the options with which it is read."""

    def write(file):
        path = tmp_path / f"june{file.suffix}"
        path.write_bytes(file.content)
        return path, ReadOptions.parse(**file.options)

    return write


def test_there_are_enough_of_them():
    assert len(FILES) >= 60
    assert len({each.name for each in FILES}) == len(FILES)


@pytest.mark.parametrize("file", READABLE, ids=str)
def test_a_file_is_read_as_what_it_is(put, file):
    with open_input(*put(file)) as opened:
        facts = check(opened)
        assert not facts.rejected, facts.problems
        rows = [example for example, _ in read_rows(opened, facts.reading, Tally(), skip_invalid=False)]
    assert str(facts.form) == file.reads
    assert [example.id for example in rows] == list(file.ids)
    for example, (sentence, *entities) in zip(rows, SENTENCES, strict=True):
        assert example.sentence.replace("똠방각하", "소설가").lstrip("😀 ") == sentence
        assert [(each.text, each.type) for each in (example.subject, example.object)] == entities
        for each in (example.subject, example.object):
            assert example.sentence[each.start : each.end] == each.text
    assert file.note in "\n".join(facts.notes)
    assert bool(facts.notes) == bool(file.note), facts.notes


@pytest.mark.parametrize("file", READABLE, ids=str)
def test_every_cell_comes_back_as_it_came_in(put, file):
    with open_input(*put(file)) as opened:
        reading = survey(opened).reading
        cells = [record.fields for record in records_of(opened)]
        columns = reading.columns
        rebuilders = columns.rebuilders()
        stored = list(read_rows(opened, reading, Tally(), skip_invalid=False))
    assert [columns.cells(rebuilders, example, unusual) for example, unusual in stored] == cells


def records_of(file):
    with open_table(file.path, file.name, file.form) as table:
        yield from table.records


@pytest.mark.parametrize("file", [each for each in FILES if each.refused], ids=str)
def test_a_file_is_refused_with_what_helps(put, file):
    with pytest.raises(InvalidCsv) as refused:
        read_all_examples(*put(file))
    assert file.refused in str(refused.value)
    assert str(refused.value).startswith("june")
