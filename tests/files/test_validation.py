import csv
import hashlib

import pytest

from relex.errors import InvalidCsv
from relex.files.options import ReadOptions
from relex.files.reading import read_examples
from relex.files.validation import check_table
from relex.labels import RELATIONS


def problems(path):
    return [(problem.line, problem.id, problem.column, problem.code) for problem in check_table(path).problems]


def test_a_good_file(save, row):
    path = save([row(), row(label="no_relation"), row(source="")])
    facts = check_table(path)
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (facts.rows, facts.accepted, facts.rejected, facts.labeled) == (3, 3, 0, 3)
    assert (facts.problems, facts.problem_counts, facts.placeholder, facts.notes) == ((), {}, None, ())
    examples = list(read_examples(path, facts))
    assert [example.row_no for example in examples] == [0, 1, 2]
    assert [example.label for example in examples] == ["org:members", "no_relation", "org:members"]
    assert [example.source for example in examples] == ["wikipedia", "wikipedia", None]
    assert examples[0].subject.text == "비틀즈"
    assert examples[0].object.end == 6


@pytest.mark.parametrize(
    ("cells", "column", "code"),
    [
        ({"sentence": ""}, "sentence", "empty-sentence"),
        ({"sentence": " \u3000\n"}, "sentence", "empty-sentence"),
        ({"sentence": "조지\0"}, "sentence", "unstorable-character"),
        ({"id": ""}, "id", "missing-id"),
        ({"id": "a\0"}, "id", "unstorable-character"),
        ({"source": "\0"}, "source", "unstorable-character"),
        ({"label": "per:titel"}, "label", "unknown-label"),
        ({"subject_entity": "x"}, "subject_entity", "broken-entity"),
        ({"object_entity": "x"}, "object_entity", "broken-entity"),
    ],
)
def test_one_bad_cell(save, row, cells, column, code):
    given = {"id": "b"} | cells
    path = save([row(id="a"), row(**given), row(id="c")])
    assert problems(path) == [(3, given["id"], column, code)]
    assert [example.id for example in read_examples(path, check_table(path))] == ["a", "c"]


def test_half_a_surrogate_pair(tmp_path, row):
    path = tmp_path / "june.csv"
    cells = row(sentence=row()["sentence"] + "+2AA-").values()
    text = ",".join(row()) + "\n" + ",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n"
    path.write_bytes(text.replace("+2AA-", "@@").encode("utf-7").replace(b"@@", b"+2AA-"))
    assert check_table(path, ReadOptions(encoding="utf-7")).problem_counts == {"unstorable-character": 1}


def test_all_problems_of_a_record_are_reported(save, row):
    bad = row(id="", label="x", subject_entity="?", object_entity="?")
    path = save([row(), bad, row(id="1")])
    facts = check_table(path)
    assert [problem.column for problem in facts.problems] == ["id", "label", "subject_entity", "object_entity"]
    assert (facts.rows, facts.rejected) == (3, 1)
    assert facts.problem_counts == {"broken-entity": 2, "missing-id": 1, "unknown-label": 1}


def test_the_entities_overlap(save, row):
    word = "{'word': '조지', 'start_idx': 0, 'end_idx': 1, 'type': 'PER'}"
    assert problems(save([row(subject_entity=word)])) == [(2, "0", "object_entity", "overlapping-entities")]


def test_duplicate_ids_name_the_first_line_and_differ_by_text(save, row):
    path = save([row(id="7"), row(id="07"), row(id="7"), row(id=" 7"), row(id="7")])
    facts = check_table(path)
    assert [(problem.line, problem.message) for problem in facts.problems] == [
        (4, "this id was used on line 2"),
        (6, "this id was used on line 2"),
    ]
    assert [example.id for example in read_examples(path, facts)] == ["7", "07", " 7"]


def test_lines_are_counted_as_an_editor_does(save, row):
    sentence = "첫째 줄\n둘째 줄\r\n" + row()["sentence"]
    path = save([row(id="a", sentence=sentence), row(id="b")])
    path.write_bytes(path.read_bytes().replace(b"\nb,", b"\n\n\nb,"))
    assert problems(path) == [(2, "a", "subject_entity", "word-mismatch"), (2, "a", "object_entity", "word-mismatch")]
    path.write_bytes(path.read_bytes().replace(b"\nb,", b"\n,"))
    assert problems(path)[-1] == (7, "", "id", "missing-id")


def test_a_quoted_newline_belongs_to_the_sentence(save, row):
    sentence = row()["sentence"] + "\r\n다음 줄\n"
    path = save([row(sentence=sentence)])
    assert next(read_examples(path, check_table(path))).sentence == sentence


def test_records_that_do_not_split_and_those_behind_them(save, row):
    path = save([row(id=name) for name in "abcde"])
    lines = path.read_text("utf-8").split("\n")
    lines[2] = "b,쉼표, 그리고" + lines[2][1:]
    lines[4] = 'd,"따옴표 "하나" 더",x,y,,'
    lines[5] = 'e,"끝까지 열려'
    path.write_text("\n".join(lines), "utf-8")
    assert problems(path) == [
        (3, None, "", "field-count"),
        (5, None, "", "broken-quotes"),
        (6, None, "", "broken-quotes"),
    ]
    assert [example.id for example in read_examples(path, check_table(path))] == ["a", "c"]


def test_a_megabyte_of_sentence_is_fine_and_an_endless_quote_is_not(save, row):
    long = row(sentence=row()["sentence"] + "가" * 1_000_000)
    endless = row(id="1", sentence="나" * (4 * 1024 * 1024 + 1))
    path = save([long, endless, row(id="2")])
    facts = check_table(path)
    assert [(problem.line, problem.code) for problem in facts.problems] == [(3, "broken-quotes")]
    assert [len(example.sentence) for example in read_examples(path, facts)] == [1_000_033, 33]


def test_columns_without_a_name_are_passed_over(save, row):
    path = save([row()])
    path.write_bytes(path.read_bytes().replace(b"\n", b",,\n"))
    facts = check_table(path)
    assert (facts.accepted, facts.notes) == (1, ())


def test_columns_in_another_order_missing_and_extra(save, row):
    cells = {"fold": "1", "": "0"} | dict(reversed(row().items()))
    del cells["label"], cells["source"]
    path = save([cells])
    facts = check_table(path)
    assert facts.notes == ("columns not read: fold",)
    assert facts.labeled == 0
    (example,) = read_examples(path, facts)
    assert (example.id, example.label, example.source) == ("0", None, None)


class TestLabels:
    def test_every_relation_is_gold(self, save, row):
        assert check_table(save([row(label=label) for label in RELATIONS])).labeled == 30

    def test_one_value_in_every_row_is_a_placeholder(self, save, row):
        path = save([row(label="100"), row(label="100")])
        facts = check_table(path)
        assert (facts.placeholder, facts.labeled, facts.rejected) == ("100", 0, 0)
        assert facts.notes == ("column label holds '100' in every row: treated as \"no gold labels\"",)
        assert [example.label for example in read_examples(path, facts)] == [None, None]

    @pytest.mark.parametrize("odd", ["101", "", "org:members"])
    @pytest.mark.parametrize("rows", [3, 1_500])
    @pytest.mark.parametrize("place", [0, 1, -1])
    def test_one_odd_label_does_not_end_the_placeholder(self, save, row, odd, rows, place, tmp_path):
        labels = ["100"] * (rows - 1)
        labels.insert(place % rows, odd)
        path = save([row(label=label) for label in labels])
        facts = check_table(path, rejected_path=tmp_path / "bad.csv")
        assert facts.placeholder == "100"
        assert (facts.rejected, facts.labeled) == (1 if odd else 0, 0)
        assert facts.notes == (
            f"column label holds '100' in {rows - 1:,} of {rows:,} rows: treated as \"no gold labels\"",
        )
        if odd:
            assert facts.problems[0].message == f"'{odd}' in a column of which most rows hold '100'"
            assert facts.problems[0].line == labels.index(odd) + 2
        assert len(list(read_examples(path, facts))) == facts.accepted

    @pytest.mark.parametrize(("placeholders", "gold"), [(2, 3), (1_200, 1_300), (1_300, 1_200)])
    def test_the_majority_decides_however_the_file_begins(self, save, row, placeholders, gold):
        path = save([*(row(label="100") for _ in range(placeholders)), *(row() for _ in range(gold))])
        facts = check_table(path)
        assert facts.placeholder == ("100" if placeholders > gold else None)
        assert facts.problem_counts == {"unknown-label": min(placeholders, gold)}

    def test_one_shifted_row_hides_behind_nothing(self, save, row, tmp_path):
        shifted = dict(zip(row(), ["1", "", *list(row().values())[1:5]], strict=True))
        facts = check_table(save([*(row(id=f"a{number}", label="100") for number in range(999)), shifted]))
        assert (facts.placeholder, facts.accepted) == ("100", 999)
        assert {problem.line for problem in facts.problems} == {1001}

    def test_the_first_label_is_that_of_the_first_whole_record(self, save, row):
        path = save([row(label="100"), row(label="100")])
        path.write_bytes(path.read_bytes().replace(b"source\n", b"source\nx,y\n"))
        assert check_table(path).placeholder == "100"

    def test_gold_may_have_gaps(self, save, row):
        path = save([row(label=""), row(), row(label="")])
        facts = check_table(path)
        assert (facts.accepted, facts.labeled, facts.placeholder) == (3, 1, None)
        assert [example.label for example in read_examples(path, facts)] == [None, "org:members", None]

    def test_an_unknown_label_comes_with_a_guess(self, save, row):
        (problem,) = check_table(save([row(), row(label="per:titel")])).problems
        assert problem.message == "unknown label 'per:titel' (did you mean per:title?)"


class TestRejectedFile:
    def test_every_bad_record_stands_in_it_and_can_be_submitted_again(self, save, row, tmp_path):
        bad = tmp_path / "june.rejected.csv"
        rows = [
            row(id=str(number), subject_entity="x" if number % 2 else row()["subject_entity"]) for number in range(90)
        ]
        path = save(rows)
        facts = check_table(path, rejected_path=bad)
        assert (facts.rejected, len(facts.problems)) == (45, 20)
        raw = bad.read_bytes()
        assert raw.startswith(b"\xef\xbb\xbfline,problem,id,sentence,")
        with bad.open(encoding="utf-8-sig", newline="") as file:
            written = list(csv.DictReader(file))
        assert [int(record["line"]) for record in written] == list(range(3, 93, 2))
        assert written[0]["problem"] == "subject_entity: neither a Python dict nor JSON: 'x' (character 1, 'x')"
        assert {key: written[0][key] for key in rows[1]} == rows[1]
        again = check_table(bad, rejected_path=tmp_path / "again.csv")
        assert again.rejected == 45
        with (tmp_path / "again.csv").open(encoding="utf-8-sig", newline="") as file:
            header, *others = csv.reader(file)
        assert header == ["line_2", "problem_2", "line", "problem", *rows[0]]
        assert [record[2:4] for record in others] == [[each["line"], each["problem"]] for each in written]

    @pytest.mark.parametrize("own", [["line"], ["problem"], ["problem", "line"], ["line", "line_2", "problem"]])
    def test_columns_of_the_user_with_these_names_keep_their_cells(self, save, row, tmp_path, own):
        mine = {name: f"내 {name}" for name in own}
        check_table(save([mine | row(subject_entity="x")]), rejected_path=tmp_path / "bad.csv")
        with (tmp_path / "bad.csv").open(encoding="utf-8-sig", newline="") as file:
            header, record = csv.reader(file)
        number = 3 if "line_2" in own else 2
        assert header[:2] == [f"line_{number}", f"problem_{number}"]
        assert dict(zip(header[2:], record[2:], strict=True)) == mine | row(subject_entity="x")
        assert record[0] == "2"

    def test_problems_are_joined_with_their_hints(self, save, row, tmp_path):
        wrong = row()["subject_entity"].replace("11", "12")
        check_table(save([row(subject_entity=wrong, id="")]), rejected_path=tmp_path / "bad.csv")
        with (tmp_path / "bad.csv").open(encoding="utf-8-sig", newline="") as file:
            (record,) = csv.DictReader(file)
        assert record["problem"] == (
            "id: the id is empty; subject_entity: word does not match the sentence: "
            "start_idx 12, end_idx 13 -> '틀즈'   word says '비틀즈' (at 11-13?)"
        )

    def test_records_that_do_not_split_keep_all_their_text(self, save, row, tmp_path):
        path = save([row()])
        with path.open("a", encoding="utf-8") as file:
            file.write('1,2,3\n4,"가"나,\n1,2,3,4,5,6,7\n')
        check_table(path, rejected_path=tmp_path / "bad.csv")
        with (tmp_path / "bad.csv").open(encoding="utf-8-sig", newline="") as file:
            written = list(csv.reader(file))
        assert written[1][2:] == ["1", "2", "3"]
        assert written[2][2:] == ['4,"가"나,\n']
        assert written[3][2:] == list("1234567")

    def test_nothing_new_is_there_when_all_is_well_or_the_file_is_refused(self, save, row, tmp_path, monkeypatch):
        bad = tmp_path / "bad.csv"
        path = save([row()])
        assert check_table(path, rejected_path=bad).rejected_to is None
        assert sorted(tmp_path.iterdir()) == [path]
        path = save([row(subject_entity="x") for _ in range(200)])
        monkeypatch.setattr("relex.files.forms.form.MAX_LINE", 1_000)
        path.write_bytes(path.read_bytes() + b"x" * 1_000)
        with pytest.raises(InvalidCsv, match="longer than"):
            check_table(path, rejected_path=bad)
        assert sorted(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize("rows", [0, 1])
    def test_a_file_of_this_name_stays_as_it_is(self, save, row, tmp_path, rows):
        fixed = tmp_path / "june.rejected.csv"
        fixed.write_text("fixed by hand", "utf-8")
        path = save([row(), *(row(subject_entity="x") for _ in range(rows))])
        for _ in range(2):  # the same bad rows again need no third file
            facts = check_table(path, rejected_path=fixed)
            assert fixed.read_text("utf-8") == "fixed by hand"
            assert facts.rejected_to == (tmp_path / "june.rejected-2.csv" if rows else None)
        assert len(list(tmp_path.iterdir())) == 2 + rows

    def test_a_folder_that_takes_no_file_hides_no_problem(self, save, row, tmp_path):
        facts = check_table(save([row(), row(subject_entity="x")]), rejected_path=tmp_path / "gone" / "bad.csv")
        assert (facts.rejected, facts.rejected_to, facts.rejected_error) == (
            1,
            None,
            "No such file or directory",
        )
