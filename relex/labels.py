"""The 30 relations of KLUE-RE and the entity types, in the order that the public CSV form uses.

Labels are matched by name everywhere; the order matters only inside one checkpoint, which carries its own copy.
KLUE's `relation_list.json` has another order, so an index is never used outside of one checkpoint.
"""

from collections.abc import Mapping
from types import MappingProxyType

NO_RELATION = "no_relation"

RELATIONS: tuple[str, ...] = (
    NO_RELATION,
    "org:top_members/employees",
    "org:members",
    "org:product",
    "per:title",
    "org:alternate_names",
    "per:employee_of",
    "org:place_of_headquarters",
    "per:product",
    "org:number_of_employees/members",
    "per:children",
    "per:place_of_residence",
    "per:alternate_names",
    "per:other_family",
    "per:colleagues",
    "per:origin",
    "per:siblings",
    "per:spouse",
    "org:founded",
    "org:political/religious_affiliation",
    "org:member_of",
    "per:parents",
    "org:dissolved",
    "per:schools_attended",
    "per:date_of_death",
    "per:date_of_birth",
    "per:place_of_birth",
    "per:place_of_death",
    "org:founded_by",
    "per:religion",
)

ENTITY_TYPES: tuple[str, ...] = ("PER", "ORG", "LOC", "DAT", "POH", "NOH")
"""Person, organization, location, date, other proper noun, other number (KLUE, Park et al. 2021)."""

SUBJECT_TYPES = frozenset({"PER", "ORG"})
"""Entity types that a subject has: every relation is one of a person or of an organization."""

INVERSES: Mapping[str, str] = MappingProxyType(
    {
        "org:top_members/employees": "per:employee_of",
        "per:employee_of": "org:top_members/employees",
        "org:members": "org:member_of",
        "org:member_of": "org:members",
        "per:parents": "per:children",
        "per:children": "per:parents",
        "org:alternate_names": "org:alternate_names",
        "per:alternate_names": "per:alternate_names",
        "per:spouse": "per:spouse",
        "per:siblings": "per:siblings",
        "per:other_family": "per:other_family",
        "per:colleagues": "per:colleagues",
    }
)
"""The relation of the object to the subject, for each relation where it follows from the subject's to the object.

It follows from the definitions of the labels (KLUE, Park et al. 2021, table of relations): children are those whose
parents the subject is, and spouses, siblings, other family, colleagues and alternate names are such in both directions.
KLUE-RE's training file agrees: of its pairs that are labeled in both directions, these are the frequent ones. The other
relations are left out, because KLUE-RE has no label for their inverse (a product, a place, a date, a title, a religion,
a school), or more than one: who founded an organization may work for it, may own it, or neither.
"""

COMPATIBLE = frozenset(
    {
        ("org:founded_by", "per:employee_of"),
        ("org:founded_by", "org:members"),
        ("org:place_of_headquarters", "org:members"),
        ("org:place_of_headquarters", "org:member_of"),
        ("org:political/religious_affiliation", "org:members"),
        ("per:origin", "org:top_members/employees"),
        ("per:religion", "org:top_members/employees"),
        ("per:schools_attended", "org:top_members/employees"),
    }
)
"""A relation without a sure inverse, and a relation of its object to its subject that can be true besides it.

The founders, headquarters and origins occur in KLUE-RE's own files, which label each direction for itself; the others
follow from the definitions: a believer or a student can be a member.
"""


def contradicts(label: str, inverse_label: str) -> bool:
    """Return whether the label of a pair and that of its inverse pair cannot both be true.

    Nothing is claimed where neither label has a sure inverse.
    """
    if (label, inverse_label) in COMPATIBLE or (inverse_label, label) in COMPATIBLE:
        return False
    if label in INVERSES:
        return INVERSES[label] != inverse_label
    return inverse_label in INVERSES
