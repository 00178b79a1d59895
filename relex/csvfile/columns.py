"""The columns that relex reads, and what is said about a header that lacks one."""

import unicodedata
from collections import Counter
from collections.abc import Sequence

from relex.errors import LONGEST, InvalidCsv, did_you_mean, shortened
from relex.hints import tables as hints

ID, SENTENCE, SUBJECT, OBJECT = "id", "sentence", "subject_entity", "object_entity"
LABEL, SOURCE = "label", "source"
REQUIRED = (ID, SENTENCE, SUBJECT, OBJECT)
KNOWN = (*REQUIRED, LABEL, SOURCE)

NAMES_SHOWN = 8
"""Columns that a message names."""
OTHER_NAMES = {
    "guid": ID,
    "아이디": ID,
    "번호": ID,
    "text": SENTENCE,
    "문장": SENTENCE,
    "subject": SUBJECT,
    "주어": SUBJECT,
    "주체": SUBJECT,
    "object": OBJECT,
    "목적어": OBJECT,
    "객체": OBJECT,
    "relation": LABEL,
    "라벨": LABEL,
    "레이블": LABEL,
    "관계": LABEL,
    "출처": SOURCE,
}
"""What others call these columns: not read, but the right name is said."""


def check_names(file: str, line: int, names: Sequence[str]) -> None:
    """Refuse a header that repeats a column or lacks one.

    Raises:
        InvalidCsv: with the names that are probably meant.
    """
    repeated = sorted(column for column, times in Counter(names).items() if column and times > 1)
    if repeated:
        column = shortened(repeated[0])
        raise InvalidCsv(f"{file}: line {line}: column {column} appears twice; remove one")
    missing = [column for column in REQUIRED if column not in names]
    if missing:
        unknown = [column for column in names if column not in KNOWN]
        guesses = [f"{shortened(column)}{_suggestion(column, missing)}" for column in unknown[:NAMES_SHOWN]]
        guesses += ["..."] if len(unknown) > NAMES_SHOWN else []
        found = f"; not known: {', '.join(guesses)}" if guesses else ""
        raise InvalidCsv(f"{file}: line {line}: no column {', '.join(missing)}{found}\n{hints.columns(KNOWN)}")


def _suggestion(column: str, missing: Sequence[str]) -> str:
    meant = OTHER_NAMES.get(unicodedata.normalize("NFC", column[:LONGEST]).lower())
    return f" (did you mean {meant}?)" if meant else did_you_mean(column, missing)
