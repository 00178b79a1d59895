from relex.files.facts import describe_problems
from relex.files.validation import check_table


def test_place_excerpt_and_counts(save, row):
    wrong = row()["subject_entity"].replace("11", "13").replace("'end_idx': 13", "'end_idx': 15")
    rows = [row(id="a"), row(id="b", subject_entity=wrong), row(id="a")]
    assert describe_problems(check_table(save(rows)), "june.csv").split("\n") == [
        "june.csv: 2 of 3 rows are invalid",
        "  line 3, id b  subject_entity: word does not match the sentence",
        "    | 조지 해리슨이 쓰고 비틀즈가 1969년 앨범에 담은 노래다.",
        "    |                        ~~~~~  start_idx 13, end_idx 15 -> '즈가 '   word says '비틀즈' (at 11-13?)",
        "  line 4, id a  id: this id was used on line 2",
        "  1 word-mismatch   1 duplicate-id",
    ]


def test_many_problems_are_counted_not_shown(save, row):
    rows = [row(sentence="") for _ in range(1_200)] + [row(subject_entity="x")]
    lines = describe_problems(check_table(save(rows)), "june.csv").split("\n")
    assert lines[0] == "june.csv: all 1,201 rows are invalid"
    assert len(lines) == 7
    assert lines[-1] == "  ... 1,196 more      1,200 empty-sentence   1 broken-entity"


def test_a_record_without_columns_and_an_id_with_control_characters(save, row):
    path = save([row(id="\x1b[31m", sentence="")])
    path.write_bytes(path.read_bytes() + b"1,2\n")
    text = describe_problems(check_table(path), "june.csv")
    assert "  line 2, id ·[31m  sentence: the sentence is empty" in text
    assert "  line 3  has 2 fields, the header has 6; is a comma not quoted?" in text
