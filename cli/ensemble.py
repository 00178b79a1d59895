"""`relex ensemble`: several model versions that vote as one."""

from functools import partial
from typing import Any

import click

from cli.context import opened
from cli.judgements import ballot_text
from cli.judging import Judging, judging_options
from relex.flows.ensemble import (
    ensemble_data,
    evaluate_ensemble,
    load_vote_evaluator,
    members_of,
    register,
    write_votes,
)
from relex.model.ensemble import Vote


@click.command("ensemble", short_help="Make one model version of several that vote.")
@click.argument("models", metavar="NAME[@N]...", nargs=-1, required=True)
@judging_options
@click.option(
    "--vote",
    type=click.Choice([each.value for each in Vote]),
    default=Vote.SOFT.value,
    show_default=True,
    help="Mean probability; mean logit; logits by weights fitted on the file; majority.",
)
@click.option("--name", help="Register the ensemble as a model version of this name; without it only look.")
def ensemble_command(models: tuple[str, ...], vote: str, name: str | None, **asked: Any) -> None:
    """Score a labelled CSV with each of the model versions NAME@N (or the newest called NAME), once, and judge all
    kinds of vote.

    With --name the chosen vote becomes a model version like any other: `relex submit --model` scores with it. It is
    made current if it beats its best member and the current version on this file. --out writes votes.json: all that is
    printed.

    Example: relex ensemble base@1 large_focal@1 --on data/valid_data.csv --vote weighted --name both
    """
    judging = Judging(**asked)
    facts = judging.check()
    with opened() as (settings, database):
        versions = members_of(database, models, name)
        job_ids = [judging.queue(database, settings, facts, version) for version in versions]
        for job_id in job_ids:
            judging.wait(database, settings, job_id)
        ensemble = evaluate_ensemble(database, load_vote_evaluator(), job_ids)
        registered = register(database, settings, ensemble, Vote(vote), name) if name else None
    found = ensemble, registered
    judging.tell(ballot_text(*found), ensemble_data(*found), partial(write_votes, *found))
