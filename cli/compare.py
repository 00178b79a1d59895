"""`relex compare`: whether one model version is better than another on a labelled file."""

from functools import partial
from typing import Any

import click

from cli.context import opened
from cli.judgements import comparison_text
from cli.judging import Judging, judging_options
from relex.flows.compare import compare, comparison_data, rivals, write_comparison
from relex.flows.judging import load_evaluator


@click.command("compare", short_help="Say whether model B is better than model A on a labelled CSV.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@judging_options
def compare_command(a: str, b: str, **asked: Any) -> None:
    """Score a labelled CSV with the model versions A and B (NAME@N, or the newest called NAME) and compare them.

    Prints both models' scores, the difference with its paired-bootstrap interval and p-value, McNemar's exact test,
    and the settings that differ. --out writes comparison.json and flips.csv: the rows that the two label
    differently.

    Example: relex compare base@1 large_focal@1 --on data/valid_data.csv --out compared/
    """
    judging = Judging(**asked)
    facts = judging.check()
    with opened() as (settings, database):
        versions = rivals(database, a, b)
        first, second = (judging.queue(database, settings, facts, version) for version in versions)
        judging.wait(database, settings, first)
        judging.wait(database, settings, second)
        comparison = compare(database, load_evaluator(), settings, (first, second))
    judging.tell(comparison_text(comparison), comparison_data(comparison), partial(write_comparison, comparison))
