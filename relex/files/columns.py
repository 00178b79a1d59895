"""The columns that relex reads, the other names that they go by, and the checks of single cells."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from relex.errors import did_you_mean, quoted
from relex.files.options import TARGETS, ReadOptions
from relex.files.problems import RowProblem
from relex.labels import RELATIONS

ID, SENTENCE, SUBJECT, OBJECT = "id", "sentence", "subject_entity", "object_entity"
LABEL, SOURCE = "label", "source"
REQUIRED = (SENTENCE, SUBJECT, OBJECT)
KNOWN = (ID, *REQUIRED, LABEL, SOURCE)
ENTITIES = {SUBJECT: "subject", OBJECT: "object"}
"""The columns of entities, and the beginning of the names of columns that hold one part of an entity each."""
PARTS = ("word", "start", "end", "type")

NAMES_SHOWN = 8
"""Maximum number of columns that a message names."""
OTHER_NAMES = {
    ID: "guid uid customid idx index rowid 아이디 번호 식별자 일련번호",
    SENTENCE: "text sent sentencetext content context 문장 본문 텍스트 원문 내용",
    SUBJECT: "subject subj subjentity head headentity entity1 e1 주체 주어 주체개체 주어개체",
    OBJECT: "object obj objentity tail tailentity entity2 e2 객체 목적어 대상 객체개체 목적어개체",
    LABEL: "relation rel relationlabel gold goldlabel 라벨 레이블 관계 정답",
    SOURCE: "출처",
}
"""Other common names of these columns, without spaces, underscores, hyphens and dots, in lower case."""
ENTITY_NAMES = {
    "subject": "subject subj subjectentity head headentity entity1 e1 주체 주어",
    "object": "object obj objectentity tail tailentity entity2 e2 객체 목적어",
}
PART_NAMES = {
    "word": "word text name mention surface 단어 이름 텍스트",
    "start": "start startidx startindex startoffset begin 시작 시작위치",
    "end": "end endidx endindex endoffset 끝 끝위치 종료",
    "type": "type entitytype tag ner nertype 유형 타입 종류",
}
MAX_NAME_CHARS = 100
SPACERS = re.compile(r"[\s_.\-]+")

TARGETS_BY_NAME = {
    **{name: target for target, names in OTHER_NAMES.items() for name in names.split()},
    **{
        entity + part: f"{role}_{target}"
        for role, entities in ENTITY_NAMES.items()
        for entity in entities.split()
        for target, parts in PART_NAMES.items()
        for part in parts.split()
    },
    **{SPACERS.sub("", target): target for target in TARGETS},
}
"""The target of `--columns` that a simplified name stands for."""

KNOWN_RELATIONS = frozenset(RELATIONS)


def simplified(name: str) -> str:
    """Return the name of a column without what differs between spellings: case, spaces, underscores, hyphens, dots."""
    return SPACERS.sub("", unicodedata.normalize("NFC", name[:MAX_NAME_CHARS]).lower())


def target_of(name: str) -> str | None:
    """Return the target that a column's name usually means, or None."""
    return name if name in TARGETS else TARGETS_BY_NAME.get(simplified(name))


def count_known(names: Sequence[str], options: ReadOptions) -> int:
    """Count the names of a header that mean something: those that the user maps count most."""
    mapped = set(options.columns.values())
    return sum(
        len(TARGETS) if name in mapped else 2 if name in KNOWN else target_of(name) is not None for name in names
    )


class BadCell(Exception):
    """An invalid cell; :meth:`problem` adds its place, which only the record knows.

    Args:
        code: the kind of problem, in kebab-case.
        message: what is wrong.
        hint: what would be right.
        marked: an excerpt of the sentence, and its underline.
        part: which part of an entity is wrong, one of `PARTS`; empty if it is no single one.
    """

    def __init__(
        self, code: str, message: str, hint: str = "", marked: tuple[str, str] = ("", ""), part: str = ""
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.marked = marked
        self.part = part

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
