"""Faults in words, for a terminal and for an error message."""

from relex.csvfile.facts import FileFacts, RowFault
from relex.errors import counted, shortened

FAULTS_SHOWN = 5


def describe_faults(facts: FileFacts, name: str) -> str:
    """The first faults with place and excerpt, and the counts of all; several lines, no line end.

    Args:
        facts: of a file with at least one rejected record.
        name: what to call the file.
    """
    shown = facts.faults[:FAULTS_SHOWN]
    lines = [f"{name}: {facts.rejected:,} of {counted(facts.rows, 'row')} cannot be used"]
    lines += [line for fault in shown for line in _describe(fault)]
    more = sum(facts.fault_counts.values()) - len(shown)
    counts = "   ".join(f"{count:,} {code}" for code, count in facts.fault_counts.items())
    return "\n".join([*lines, f"  ... {more:,} more      {counts}" if more else f"  {counts}"])


def _describe(fault: RowFault) -> list[str]:
    place = f"line {fault.line}" if fault.id is None else f"line {fault.line}, id {shortened(fault.id)}"
    column = f"{fault.column}: " if fault.column else ""
    return [f"  {place}  {column}{fault.message}", *(f"    | {line}" for line in fault.detail)]
