import csv
import errno
import io

import pytest

from relex.domain.examples import Prediction
from relex.errors import RelexError
from relex.files.csv_writer import CsvWriter
from relex.files.writing import write_errors, write_flips, write_labeled_predictions, write_predictions
from tests.factories import example


def test_header_and_blocks_as_they_come(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")
    written = write_predictions(path, iter([b"0,per:ti", memoryview(b'tle,"[0.5]"\n')]))
    assert path.read_bytes() == b'id,pred_label,probs\n0,per:title,"[0.5]"\n'
    assert written == path.stat().st_size
    assert list(tmp_path.iterdir()) == [path]


def test_errors_are_quoted_where_needed(tmp_path):
    write_errors(tmp_path / "errors.csv", iter([("7", "poison", '쉼표, "따옴표"')]))
    assert (tmp_path / "errors.csv").read_text("utf-8") == 'id,code,message\n7,poison,"쉼표, ""따옴표"""\n'


def test_evaluated_examples_and_flips_have_their_words_and_labels_and_open_in_excel(tmp_path):
    """A double click on a CSV shows Hangul only with a BOM; Excel's own line ends are CRLF."""
    cells = "id-1,회사1의 대표는 김1이다.,회사1,김1,per:title"
    write_labeled_predictions(
        tmp_path / "gold.csv", [example(1, "per:title")], [Prediction(1, "per:spouse", (0.25, 0.75))]
    )
    assert (tmp_path / "gold.csv").read_bytes().decode() == (
        f'\ufeffid,sentence,subject,object,gold,pred_label,probs\r\n{cells},per:spouse,"[0.25, 0.75]"\r\n'
    )
    write_flips(tmp_path / "flips.csv", [(example(1, "per:title"), "per:title", "per:spouse", "A")])
    assert (tmp_path / "flips.csv").read_bytes().decode() == (
        f"\ufeffid,sentence,subject,object,gold,A,B,right\r\n{cells},per:title,per:spouse,A\r\n"
    )


def test_evaluated_examples_without_a_prediction_are_a_problem(tmp_path):
    with pytest.raises(ValueError, match="shorter"):
        write_labeled_predictions(tmp_path / "gold.csv", [example(1, "per:title")], [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [ValueError("lost"), ConnectionError("lost"), KeyboardInterrupt("lost")])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    def blocks():
        yield b"x" * 100_000
        raise error

    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(type(error), match="lost"):
        write_predictions(path, blocks())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_trouble_of_the_disk_is_reported_by_name(tmp_path):
    def full():
        yield b"x"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RelexError, match=r"out\.csv: cannot be written: No space left on device"):
        write_predictions(tmp_path / "out.csv", full())
    with pytest.raises(RelexError, match="No such file or directory"):
        write_predictions(tmp_path / "none" / "out.csv", [])
    (tmp_path / "folder").mkdir()
    with pytest.raises(RelexError, match="Is a directory"):
        write_predictions(tmp_path / "folder", [b"x"])
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_written_file_has_ordinary_rights(tmp_path):
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    write_predictions(tmp_path / "out.csv", [])
    assert (tmp_path / "out.csv").stat().st_mode == ordinary.stat().st_mode


def test_a_lone_carriage_return_is_quoted_with_any_line_end():
    """Python's writer of "\n" lines leaves it bare, and every reader takes it for the end of a line."""
    rows = [["a\rb", "c"], ["\r", ""], ["d\r\n", "e\n"]]
    for writer_of in (CsvWriter, CsvWriter.for_excel):
        file = io.BytesIO()
        writer_of(file).write_rows(rows)
        assert list(csv.reader(io.StringIO(file.getvalue().decode("utf-8-sig"), newline=""))) == rows
