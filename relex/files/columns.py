"""The columns that relex reads, and the checks of the header and of single cells."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from relex.errors import MAX_SHOWN_CHARS, InvalidCsv, did_you_mean, quoted, shortened
from relex.files.problems import RowProblem
from relex.hints import tables as hints
from relex.labels import RELATIONS

ID, SENTENCE, SUBJECT, OBJECT = "id", "sentence", "subject_entity", "object_entity"
LABEL, SOURCE = "label", "source"
REQUIRED = (ID, SENTENCE, SUBJECT, OBJECT)
KNOWN = (*REQUIRED, LABEL, SOURCE)

NAMES_SHOWN = 8
"""Maximum number of columns that a message names."""
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
"""Other common names of these columns; they are not read, but the message suggests the right one."""

KNOWN_RELATIONS = frozenset(RELATIONS)


def check_names(file: str, line: int, names: Sequence[str]) -> None:
    """Refuse a header that repeats a column or lacks one.

    Raises:
        InvalidCsv: with suggestions for misspelled names.
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
        rest = f"; not known: {', '.join(guesses)}" if guesses else ""
        raise InvalidCsv(f"{file}: line {line}: no column {', '.join(missing)}{rest}\n{hints.columns(KNOWN)}")


def _suggestion(column: str, missing: Sequence[str]) -> str:
    name = OTHER_NAMES.get(unicodedata.normalize("NFC", column[:MAX_SHOWN_CHARS]).lower())
    return f" (did you mean {name}?)" if name else did_you_mean(column, missing)


class BadCell(Exception):
    """An invalid cell; :meth:`problem` adds its place, which only the record knows."""

    def __init__(
        self, code: str, message: str, hint: str = "", marked: tuple[str, str] = ("", ""), *, other_end: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.marked = marked
        self.other_end = other_end
        """Whether the cell would be valid if `end_idx` were read the other way (inclusive or exclusive)."""

    def problem(self, line: int, id_: str | None, column: str) -> RowProblem:
        """Return the problem with its place in the file."""
        return RowProblem(line, id_, column, self.code, self.message, self.hint, *self.marked)


def check_text(text: str) -> None:
    """Reject what Postgres cannot store: NUL characters and lone surrogates."""
    if "\0" in text:
        raise BadCell("unstorable-character", "holds a NUL character, which Postgres cannot store")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadCell("unstorable-character", "holds half a surrogate pair, which is not a character") from error


def check_sentence(text: str) -> str:
    """Return the sentence; reject one that is blank or cannot be stored."""
    if not text or text.isspace():
        raise BadCell("empty-sentence", "the sentence is empty")
    check_text(text)
    return text


def gold_label(cell: str) -> str | None:
    """Return the relation in a label cell, or None for an empty cell."""
    if cell in KNOWN_RELATIONS:
        return cell
    if cell:
        raise BadCell("unknown-label", unknown("label", cell, RELATIONS))
    return None


@lru_cache
def unknown(what: str, word: str, choices: tuple[str, ...]) -> str:
    """Describe a word that is not one of the choices; cached, because one wrong word often fills a file."""
    return f"unknown {what} {quoted(word)}{did_you_mean(word, choices)}"
