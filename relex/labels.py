"""The 30 relations of KLUE-RE and the entity types, in the order that the public CSV form uses.

Labels are matched by name everywhere; the order matters only inside one checkpoint, which carries its own copy.
KLUE's `relation_list.json` has another order, so an index is never used outside of one checkpoint.
"""

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
