"""Is this file fit to be scored? One pass that finds everything wrong with it and keeps almost nothing."""

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
from relex.files.rows import check_record
from relex.files.text import codec_named, open_text, refuse_other_encodings, sha256_of

MAX_PROBLEMS = 20
ROWS_FOR_A_GUESS = 1_000
MAX_PASSES = 3
"""One where the first rows are as the others; a second where they are not."""


def check(path: Path, encoding: str = "utf-8", rejected_path: Path | None = None) -> FileFacts:
    """Look at every record of a CSV.

    Bad records are counted, not raised: the caller decides whether good ones alone will do.

    Args:
        path: columns id, sentence, subject_entity, object_entity; label and source if it has them.
        encoding: any text encoding that Python knows; a BOM need not be told.
        rejected_path: where to write the bad records, if there are any. A file that is there already stays, and they
            go to one beside it; where they cannot be written, the facts say why.

    Raises:
        InvalidCsv: the file as a whole cannot be used: not found, not decodable, a column missing, no rows.
    """
    codec = codec_named(encoding)
    sha256 = sha256_of(path)
    with open_text(path, codec):  # what is no text at all is said first
        refuse_other_encodings(path, codec)
    conventions = _first_guess(path, codec)
    for _ in range(MAX_PASSES):
        with open_table(path, codec) as table, RejectedFile(rejected_path, table.header) as rejected:
            tally = _count(table, conventions, rejected)
            better = tally.votes.conventions(conventions)
            if better == conventions:
                rejected.publish()
                break
        conventions = better
    return _facts(path, sha256, table, conventions, tally, rejected)


@dataclass
class _Tally:
    """What is counted on the way."""

    accepted: int = 0
    rejected: int = 0
    labelled: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    faults: list[RowProblem] = field(default_factory=list)
    votes: Votes = field(default_factory=Votes)


def _first_guess(path: Path, codec: str) -> Conventions:
    """What the majority of the first rows says; the pass over all rows corrects it."""
    votes = Votes()
    conventions = Conventions()
    with open_table(path, codec) as table:
        for _ in islice(check_record(table, conventions, votes), ROWS_FOR_A_GUESS):
            pass
    return votes.conventions(conventions)


def _count(table: Table, conventions: Conventions, rejected: RejectedFile) -> _Tally:
    tally = _Tally()
    for record, verdict in check_record(table, conventions, tally.votes):
        if isinstance(verdict, Example):
            tally.accepted += 1
            tally.labelled += verdict.label is not None
            continue
        tally.rejected += 1
        tally.codes.update(fault.code for fault in verdict)
        tally.faults.extend(verdict[: MAX_PROBLEMS - len(tally.faults)])
        rejected.add(record, verdict)
    return tally


def _facts(
    path: Path, sha256: str, table: Table, conventions: Conventions, tally: _Tally, rejected: RejectedFile
) -> FileFacts:
    rows = tally.accepted + tally.rejected
    if not rows:
        raise InvalidCsv(f"{path.name}: there are no rows under the header")
    return FileFacts(
        sha256=sha256,
        size=path.stat().st_size,
        codec=table.codec,
        bom=table.bom,
        rows=rows,
        accepted=tally.accepted,
        rejected=tally.rejected,
        labelled=tally.labelled,
        fault_counts=dict(tally.codes.most_common()),
        faults=tuple(tally.faults),
        conventions=conventions,
        notes=(*tally.votes.notes(conventions, LABEL), *_notes(table)),
        rejected_to=rejected.written,
        rejected_error=rejected.error,
    )


def _notes(table: Table) -> list[str]:
    notes = []
    ignored, blank = table.header.ignored, table.blank
    if blank.count:
        notes.append(f"{counted(blank.count, 'blank row')} passed over, the first on line {blank.first_line}")
    if ignored:
        more = ", ..." if len(ignored) > NAMES_SHOWN else ""
        notes.append(f"columns not read: {', '.join(map(shortened, ignored[:NAMES_SHOWN]))}{more}")
    return notes
