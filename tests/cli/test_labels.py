"""`relex labels` shows every relation and entity type, in 80 columns, and its examples are rows that relex takes."""

import csv
import json

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from cli.labels import labels_command
from relex.files.validation import check_table
from relex.label_examples import ENTITY_TYPE_EXAMPLES, RELATION_EXAMPLES
from relex.labels import ENTITY_TYPES, RELATIONS


def printed(*arguments, columns=80):
    result = CliRunner().invoke(labels_command, arguments, env={"COLUMNS": str(columns)}, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_there_is_an_example_of_every_relation_and_entity_type():
    assert (tuple(RELATION_EXAMPLES), tuple(ENTITY_TYPE_EXAMPLES)) == (RELATIONS, ENTITY_TYPES)


@pytest.mark.parametrize("columns", [60, 80])
def test_the_table_fits_the_terminal_and_loses_no_character(columns):
    output = printed(columns=columns)
    assert max(map(cell_len, output.splitlines())) <= columns
    letters = "".join(output.split())
    shown = [*RELATION_EXAMPLES.items(), *ENTITY_TYPE_EXAMPLES.items()]
    missing = [name for name, _ in shown if name not in output]
    # Lines of both columns alternate, so that only an example's words can be looked for.
    words = [word for _, each in shown for word in f"{each.meaning} {each.korean} {each.english}".split()]
    assert not missing + [word for word in words if word not in letters]


def test_a_blank_line_stands_before_each_row_and_before_the_table_of_types():
    lines = [line.rstrip() for line in printed().splitlines()]
    names = [*RELATION_EXAMPLES, "Type", *ENTITY_TYPE_EXAMPLES]
    starts = [number for number, line in enumerate(lines) if line.split(" ")[0] in names]
    assert len(starts) == len(names)
    assert not [number for number in starts if lines[number - 1]]
    assert "\n\n\n" not in "\n".join(lines)


def test_json_has_every_example_as_a_row_that_submit_takes(tmp_path):
    data = json.loads(printed("--json"))
    assert [each["relation"] for each in data["relations"]] == list(RELATIONS)
    assert [each["type"] for each in data["entity_types"]] == list(ENTITY_TYPES)
    with (tmp_path / "examples.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "sentence", "subject_entity", "object_entity", "label"])
        for each in data["relations"]:
            entities = (json.dumps(each[role], ensure_ascii=False) for role in ("subject", "object"))
            rows.writerow([each["relation"], each["sentence"], *entities, each["relation"]])
    facts = check_table(tmp_path / "examples.csv")
    assert (facts.accepted, facts.labeled, facts.notes) == (30, 30, ())


def test_the_entity_of_a_type_stands_where_it_is_said_to_stand():
    wrong = [
        each["type"]
        for each in json.loads(printed("--json"))["entity_types"]
        if each["sentence"][each["entity"]["start_idx"] : each["entity"]["end_idx"] + 1] != each["entity"]["word"]
    ]
    assert not wrong


def test_both_languages_mark_the_same_entities():
    marks = ("[", "]", "(", ")")
    wrong = [
        name
        for name, each in RELATION_EXAMPLES.items()
        if not all(each.korean.count(mark) == each.english.count(mark) == 1 for mark in marks)
    ]
    assert not wrong
