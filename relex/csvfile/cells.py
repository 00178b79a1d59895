"""What one cell must be, and the error that says what it is instead."""

from functools import lru_cache

from relex.csvfile.facts import RowFault
from relex.errors import did_you_mean, quoted
from relex.labels import RELATIONS

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

    def fault(self, line: int, id_: str | None, column: str) -> RowFault:
        """The same fault with its place in the file."""
        return RowFault(line, id_, column, self.code, self.message, self.hint, *self.marked)


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
