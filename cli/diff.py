"""`relex diff`: two jobs of the same rows, compared without labels."""

import json
from collections.abc import Iterator

import click

from cli.completion import complete_job_id
from cli.context import open_app
from cli.params import json_option
from cli.tables import Column, Part, Table, number, print_parts
from relex.domain.calibration import Estimate
from relex.domain.differences import Differences
from relex.errors import counted, printable
from relex.flows.diff import ASSUMPTION, JobDiff, diff, diff_data

MAX_LINES = 15
"""Number of pairs of labels, of labels and of type pairs that are shown."""


@click.command("diff")
@click.argument("a", metavar="JOB_A", shell_complete=complete_job_id)
@click.argument("b", metavar="JOB_B", shell_complete=complete_job_id)
@json_option
def diff_command(a: str, b: str, *, as_json: bool) -> None:
    """Compare the predictions of the jobs JOB_A and JOB_B (an id, a unique prefix, or @last), without labels.

    Both must be finished and hold the same rows: submit one file to two model versions. Prints how many rows both
    label equally, the labels and type pairs where they differ most, and the accuracy that B may gain over A, if both
    versions are calibrated. `relex compare` does the same with labels.

    Example: relex diff j-7k2m9x @last
    """
    with open_app() as (_, database):
        job_diff = diff(database, a, b)
    if as_json:
        click.echo(json.dumps(diff_data(job_diff), ensure_ascii=False))
    else:
        print_parts(list(diff_parts(job_diff)), separator="\n\n")


def diff_parts(job_diff: JobDiff) -> Iterator[Part]:
    """Yield what a person reads of two jobs: the agreement, the expected gain, and where they differ most."""
    a, b, differences = job_diff.a, job_diff.b, job_diff.differences
    yield printable(
        f"A {a.model} ({a.id})   B {b.model} ({b.id})   on {a.file_name}: {counted(differences.rows, 'row')}"
    ) + "".join(f"\n{note}" for note in _notes(job_diff))
    if differences.agreement is not None:
        flips = f"{differences.flips:,} labeled differently" if differences.flips else "none labeled differently"
        same = f"{differences.same:,} of {counted(differences.rows, 'row')}"
        yield f"agreement {differences.agreement:.1f}%: {same}, {flips}"
    yield _gain(job_diff)
    if differences.flips:
        yield from _tables(differences)


def _notes(job_diff: JobDiff) -> Iterator[str]:
    if job_diff.unscored:
        yield f"note: {counted(job_diff.unscored, 'row')} without a prediction in A or B: not compared"
    if job_diff.gain:
        drifts = [f"{level} for {job.model}" for job, level in job_diff.drifted]
        if drifts:
            yield f"note: drift from the validation rows: {', '.join(drifts)}: rely less on the expected gain"


def _gain(job_diff: JobDiff) -> str:
    gain = job_diff.gain
    if gain is None:
        return printable(f"expected gain: unknown: {job_diff.gain_unknown}")
    return f"expected gain of B over A: accuracy {gain.value:+.1f} ({_interval(gain)})\n  {ASSUMPTION}"


def _interval(gain: Estimate) -> str:
    return f"{gain.low:+.1f} to {gain.high:+.1f}"


def _tables(differences: Differences) -> Iterator[Table]:
    pairs = [(pair.a, f"{pair.rows:,}", pair.b) for pair in differences.label_pairs[:MAX_LINES]]
    yield Table((Column("most flips: A", min_width=24), number("rows"), Column("B", min_width=24)), pairs)
    labels = [
        (each.label, f"{each.both:,}", f"{each.only_a:,}", f"{each.only_b:,}")
        for each in differences.by_label[:MAX_LINES]
        if each.only_a or each.only_b
    ]
    yield Table((Column("by label", min_width=24), number("both"), number("only A"), number("only B")), labels)
    type_pairs = [
        (each.type_pair, f"{each.rows:,}", f"{each.flips:,}", f"{100 * each.flips / each.rows:.1f}%")
        for each in differences.by_type_pair[:MAX_LINES]
        if each.flips
    ]
    yield Table((Column("by type pair", min_width=24), number("rows"), number("flips"), number("share")), type_pairs)
