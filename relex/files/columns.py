"""The columns that relex reads, and what is said about a header that lacks one.

What one cell must be, and the error that says what it is instead.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from relex.errors import LONGEST, InvalidCsv, did_you_mean, quoted, shortened
from relex.files.problems import RowProblem
from relex.hints import tables as hints
from relex.labels import RELATIONS

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


KNOWN_RELATIONS = frozenset(RELATIONS)


class BadCell(Exception):
    """One cell is wrong; :meth:`fault` adds the place, which only the record knows."""

    def __init__(
        self, code: str, message: str, hint: str = "", marked: tuple[str, str] = ("", ""), *, other_end: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.marked = marked
        self.other_end = other_end
        """Whether the cell would be right if `end_idx` were meant the other way."""

    def fault(self, line: int, id_: str | None, column: str) -> RowProblem:
        """The same fault with its place in the file."""
        return RowProblem(line, id_, column, self.code, self.message, self.hint, *self.marked)


def check_text(text: str) -> None:
    """Refuse what Postgres cannot store: NUL and halves of surrogate pairs."""
    if "\0" in text:
        raise BadCell("unstorable-character", "holds a NUL character, which Postgres cannot store")
    try:
        text.encode()
    except UnicodeEncodeError as fault:
        raise BadCell("unstorable-character", "holds half a surrogate pair, which is no character") from fault


def check_sentence(text: str) -> str:
    """The sentence itself, unless it holds no words or nothing that can be stored."""
    if not text or text.isspace():
        raise BadCell("empty-sentence", "the sentence is empty")
    check_text(text)
    return text


def gold_label(cell: str) -> str | None:
    """The relation that a label cell names, or None for an empty cell."""
    if cell in KNOWN_RELATIONS:
        return cell
    if cell:
        raise BadCell("unknown-label", unknown("label", cell, RELATIONS))
    return None


@lru_cache
def unknown(what: str, word: str, known: tuple[str, ...]) -> str:
    """Say that a word is not one of those known; remembered, for a wrong word tends to fill a file."""
    return f"unknown {what} {quoted(word)}{did_you_mean(word, known)}"
