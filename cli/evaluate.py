"""`relex evaluate`: how good a model version is on a labelled file."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from cli.context import opened
from cli.judgements import evaluation_text
from cli.judging import Judging, judging_options
from relex.files.reading import read_whole
from relex.flows.evaluate import evaluate, evaluation_data, write_evaluation
from relex.flows.judging import load_evaluator


@click.command("evaluate", short_help="Score a labelled CSV and say how good the model is.")
@click.argument("model", metavar="NAME[@N]")
@judging_options
@click.option(
    "--like",
    metavar="CSV",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also weigh micro-F1 by the type pairs and sources of this file, which needs no labels.",
)
@click.option("--exact", is_flag=True, help="Score in fp32, in which versions are compared.")
def evaluate_command(model: str, like: Path | None, **asked: Any) -> None:
    """Score a labelled CSV with the model version NAME@N (or the newest called NAME) and judge the predictions.

    Prints micro-F1 and AUPRC as KLUE defines them with bootstrap intervals, then scores by label, type pair, source
    and length, and the most confused labels, and warns where the version was trained on these rows. The scores are kept
    with the version, one a file: those in fp32 if there are any. --out writes evaluation.json and
    predictions.csv.

    Example: relex evaluate large_focal@1 --on data/valid_data.csv
    """
    judging = Judging(**asked)
    facts = judging.check()
    target = read_whole(like, judging.encoding) if like else None
    with opened() as (settings, database):
        job_id = judging.queue(database, settings, facts, model)
        judging.wait(database, settings, job_id)
        evaluation = evaluate(database, load_evaluator(), job_id, target)
    judging.tell(evaluation_text(evaluation), evaluation_data(evaluation), partial(write_evaluation, evaluation))
