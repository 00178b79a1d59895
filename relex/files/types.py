"""Entity types under the names that other data sets and people give them."""

from collections.abc import Mapping

from relex.labels import ENTITY_TYPES

OTHER_TYPES = {
    "PER": "person people per ps 인물 사람 인명",
    "ORG": "organization organisation org og 기관 조직 단체 회사 기관명",
    "LOC": "location place loc lc gpe 장소 지명 지역 위치",
    "DAT": "date dat dt 날짜 일자",
    "POH": "poh misc product work work_of_art title 작품 작품명 제품 제품명 상품 상품명 "
    "직책 직함 직위 직업 기타고유명사",
    "NOH": "noh number num qt 숫자 수량",
}
"""Other names of each type, in lower case: those of CoNLL, OntoNotes, the Korean TTA standard, and Korean words."""
TYPES_BY_NAME: Mapping[str, str] = {name: type_ for type_, names in OTHER_TYPES.items() for name in names.split()}
KNOWN_TYPES = frozenset(ENTITY_TYPES)


def usual_type(name: str) -> str | None:
    """Return the type that a name usually stands for, or None."""
    return name if name in KNOWN_TYPES else TYPES_BY_NAME.get(name.strip().lower())
