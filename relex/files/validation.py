"""The check of a CSV before it is scored: one pass that finds every problem in constant memory."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from relex.domain.examples import Example
from relex.errors import InvalidCsv, counted, shortened
from relex.files.columns import LABEL, NAMES_SHOWN
from relex.files.conventions import Conventions, Votes
from relex.files.problems import FileFacts, RowProblem
from relex.files.records import Table, open_table
from relex.files.rejected import RejectedFile
from relex.files.rows import check_records
from relex.files.text import codec_named, open_text, refuse_other_encodings, sha256_of

MAX_PROBLEMS = 20
"""Maximum number of problems that are kept with their details."""
FIRST_GUESS_ROWS = 1_000
MAX_PASSES = 3
"""One pass if the first rows are like the others; more if they are not."""


def check_csv(path: Path, encoding: str = "utf-8", rejected_path: Path | None = None) -> FileFacts:
    """Check every record of a CSV.

    Invalid records are counted, not raised: the caller decides whether the valid ones are enough.

    Args:
        path: a CSV with the columns id, sentence, subject_entity, object_entity, and optionally label and source.
        encoding: a text encoding that Python knows; a BOM is detected.
        rejected_path: where to write the invalid records, if there are any. An existing file is not replaced: they
            go to the next free name. If they cannot be written, the facts say why.

    Raises:
        InvalidCsv: the file as a whole is invalid: not found, not decodable, a column missing, no rows.
    """
    codec = codec_named(encoding)
    sha256 = sha256_of(path)
    with open_text(path, codec):  # refuses a file that is not text at all
        refuse_other_encodings(path, codec)
    conventions = _first_guess(path, codec)
    for _ in range(MAX_PASSES):
        with open_table(path, codec) as table, RejectedFile(rejected_path, table.header) as rejected:
            counts = _count(table, conventions, rejected)
            majority = counts.votes.conventions(conventions)
            if majority == conventions:
                rejected.publish()
                break
        conventions = majority
    return _facts(path, sha256, table, conventions, counts, rejected)


@dataclass
class _Counts:
    """Counts of one pass over the file."""

    accepted: int = 0
    rejected: int = 0
    labeled: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    problems: list[RowProblem] = field(default_factory=list)
    votes: Votes = field(default_factory=Votes)


def _first_guess(path: Path, codec: str) -> Conventions:
    """Return the conventions of most of the first rows; the pass over all rows corrects them."""
    votes = Votes()
    conventions = Conventions()
    with open_table(path, codec) as table:
        for _ in islice(check_records(table, conventions, votes), FIRST_GUESS_ROWS):
            pass
    return votes.conventions(conventions)


def _count(table: Table, conventions: Conventions, rejected: RejectedFile) -> _Counts:
    counts = _Counts()
    for record, checked in check_records(table, conventions, counts.votes):
        if isinstance(checked, Example):
            counts.accepted += 1
            counts.labeled += checked.label is not None
            continue
        counts.rejected += 1
        counts.codes.update(problem.code for problem in checked)
        counts.problems.extend(checked[: MAX_PROBLEMS - len(counts.problems)])
        rejected.add(record, checked)
    return counts


def _facts(
    path: Path, sha256: str, table: Table, conventions: Conventions, counts: _Counts, rejected: RejectedFile
) -> FileFacts:
    rows = counts.accepted + counts.rejected
    if not rows:
        raise InvalidCsv(f"{path.name}: there are no rows under the header")
    return FileFacts(
        sha256=sha256,
        size=path.stat().st_size,
        codec=table.codec,
        bom=table.bom,
        rows=rows,
        accepted=counts.accepted,
        rejected=counts.rejected,
        labeled=counts.labeled,
        problem_counts=dict(counts.codes.most_common()),
        problems=tuple(counts.problems),
        conventions=conventions,
        notes=(*counts.votes.notes(conventions, LABEL), *_notes(table)),
        rejected_to=rejected.written,
        rejected_error=rejected.error,
    )


def _notes(table: Table) -> list[str]:
    notes = []
    ignored, blank = table.header.ignored, table.blank
    if blank.count:
        notes.append(f"{counted(blank.count, 'blank row')} skipped, the first on line {blank.first_line}")
    if ignored:
        more = ", ..." if len(ignored) > NAMES_SHOWN else ""
        notes.append(f"columns not read: {', '.join(map(shortened, ignored[:NAMES_SHOWN]))}{more}")
    return notes
