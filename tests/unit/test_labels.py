"""The table of inverse relations: it agrees with itself, with the labels and with the types of their subjects."""

import pytest

from relex.label_examples import RELATION_EXAMPLES
from relex.labels import COMPATIBLE, INVERSES, NO_RELATION, RELATIONS, SUBJECT_TYPES, contradicts


def test_the_inverse_of_an_inverse_is_the_relation_itself():
    assert {INVERSES[INVERSES[label]] for label in INVERSES} == set(INVERSES)
    assert [label for label in INVERSES if INVERSES[INVERSES[label]] != label] == []


def test_every_label_of_the_tables_is_a_relation():
    assert set(INVERSES) | {label for pair in COMPATIBLE for label in pair} <= set(RELATIONS) - {NO_RELATION}
    assert [pair for pair in COMPATIBLE if pair[0] in INVERSES or pair[1] not in INVERSES] == []


@pytest.mark.parametrize("label", INVERSES)
def test_the_object_of_a_relation_with_an_inverse_can_be_the_subject_of_that(label):
    kind = {"per": "PER", "org": "ORG"}[INVERSES[label].partition(":")[0]]
    assert RELATION_EXAMPLES[label].object_type == kind
    assert kind in SUBJECT_TYPES


def test_a_contradiction_is_one_in_both_directions():
    both = {(label, other): contradicts(label, other) for label in RELATIONS for other in RELATIONS}
    assert [pair for pair, answer in both.items() if answer != both[pair[::-1]]] == []


@pytest.mark.parametrize(
    ("label", "inverse_label", "expected"),
    [
        ("org:top_members/employees", "per:employee_of", False),
        ("org:founded_by", "per:employee_of", False),
        ("org:members", "org:place_of_headquarters", False),
        ("per:title", NO_RELATION, False),
        ("per:title", "per:product", False),
        (NO_RELATION, NO_RELATION, False),
        ("per:spouse", NO_RELATION, True),
        ("per:siblings", "per:spouse", True),
        ("per:children", "per:children", True),
        ("per:title", "per:spouse", True),
        ("a label of another model", NO_RELATION, False),
    ],
)
def test_what_contradicts(label, inverse_label, expected):
    assert contradicts(label, inverse_label) is expected
