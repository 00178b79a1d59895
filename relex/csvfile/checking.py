"""Is this file fit to be scored? One pass that finds everything wrong with it and keeps almost nothing."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from relex.csvfile.facts import FileFacts, RowFault
from relex.csvfile.records import LABEL, NAMES_SHOWN, Table, open_table
from relex.csvfile.rejected import RejectedFile
from relex.csvfile.rows import PlaceholderRefuted, judged, suspected_placeholder
from relex.csvfile.source import codec_named, sha256_of
from relex.errors import InvalidCsv, quoted, shortened
from relex.examples import Example

FAULTS_KEPT = 20


def check(path: Path, encoding: str = "utf-8", rejected_path: Path | None = None) -> FileFacts:
    """Look at every record of a CSV.

    Bad records are counted, not raised: the caller decides whether good ones alone will do.

    Args:
        path: columns id, sentence, subject_entity, object_entity; label and source if it has them.
        encoding: any text encoding that Python knows; a BOM need not be told.
        rejected_path: where to write the bad records; nothing is there afterwards if all are good.

    Raises:
        InvalidCsv: the file as a whole cannot be used: not found, not decodable, a column missing, no rows.
    """
    codec = codec_named(encoding)
    sha256 = sha256_of(path)
    placeholder = suspected_placeholder(path, codec)
    try:
        return _pass(path, codec, sha256, placeholder, rejected_path)
    except PlaceholderRefuted:  # so the column is gold, and its first label a fault like any other
        return _pass(path, codec, sha256, None, rejected_path)


@dataclass
class _Tally:
    """What is counted on the way."""

    accepted: int = 0
    rejected: int = 0
    labelled: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    faults: list[RowFault] = field(default_factory=list)


def _pass(path: Path, codec: str, sha256: str, placeholder: str | None, rejected_path: Path | None) -> FileFacts:
    with open_table(path, codec) as table:
        tally = _count(table, placeholder, rejected_path)
    rows = tally.accepted + tally.rejected
    if not rows:
        raise InvalidCsv(f"{path.name}: there are no rows under the header")
    return FileFacts(
        sha256=sha256,
        size=path.stat().st_size,
        codec=codec,
        bom=table.bom,
        rows=rows,
        accepted=tally.accepted,
        rejected=tally.rejected,
        labelled=tally.labelled,
        fault_counts=dict(tally.codes.most_common()),
        faults=tuple(tally.faults),
        placeholder=placeholder,
        notes=_notes(table.header.ignored, placeholder),
    )


def _count(table: Table, placeholder: str | None, rejected_path: Path | None) -> _Tally:
    tally = _Tally()
    with RejectedFile(rejected_path, table.header) as rejected:
        for record, verdict in judged(table, placeholder):
            if isinstance(verdict, Example):
                tally.accepted += 1
                tally.labelled += verdict.label is not None
                continue
            tally.rejected += 1
            tally.codes.update(fault.code for fault in verdict)
            tally.faults.extend(verdict[: FAULTS_KEPT - len(tally.faults)])
            rejected.add(record, verdict)
    return tally


def _notes(ignored: list[str], placeholder: str | None) -> tuple[str, ...]:
    notes = []
    if placeholder is not None:
        notes.append(f'column {LABEL} holds {quoted(placeholder)} in every row: treated as "no gold labels"')
    if ignored:
        more = ", ..." if len(ignored) > NAMES_SHOWN else ""
        notes.append(f"columns not read: {', '.join(map(shortened, ignored[:NAMES_SHOWN]))}{more}")
    return tuple(notes)
