"""Advice that relex prints: each function words one hint, and `tests/hints` runs it against what provoked it.

What is to be typed stands in backticks and works as printed: a whole command, or an option that is added to the command
that was typed before. Nothing here decides anything.
"""

from shlex import quote

# Jobs and training runs


def list_jobs() -> str:
    """Say how to see the ids of jobs."""
    return "`relex jobs` lists them"


def list_runs() -> str:
    """Say how to see the ids of training runs."""
    return "`relex runs` lists them"


def first_job() -> str:
    """Say how to make a job where there is none."""
    return "`relex submit --help` shows how to make one"


def first_run() -> str:
    """Say how to queue a training run where there is none."""
    return "`relex train --help` shows how to start one"


def follow(given: str) -> str:
    """Say how to see a job or a run until it ends."""
    return f"`relex status {given} --watch` follows it"


def cancel(given: str) -> str:
    """Say how to end a job or a run early."""
    return f"`relex cancel {given}` ends it"


def resume(job_id: str) -> str:
    """Say how to continue a paused job."""
    return f"`relex resume {job_id}` continues it"


def retry(job_id: str, *, rows: bool = False) -> str:
    """Say how to score what an ended job left; with `rows` its row errors too."""
    return f"`relex retry {job_id}{' --rows' * rows}` scores what is left"


def retry_row_errors() -> str:
    """Say, to who typed `relex retry`, how to score the row errors again too."""
    return "`--rows` tries those again too"


def allow_more_errors(rows: int) -> str:
    """Say, to who typed `relex retry`, which error budget lets the job end."""
    return f"`--max-failed {rows}` allows them"


def export_partial() -> str:
    """Say, to who typed `relex export`, how to write what is there."""
    return "`--partial` writes what is there"


def export_row_errors(job_id: str) -> str:
    """Say how to see why rows could not be scored."""
    return f"`relex export {job_id} --out outputs` writes which, and why"


def submit_again() -> str:
    """Say how to make a new job of a file that was submitted before."""
    return "`--again` makes a new job"


def skip_invalid() -> str:
    """Say how to submit only the good rows of a file with bad rows."""
    return "`--skip-invalid` takes the good rows only"


def start_worker() -> str:
    """Say how to get work done where a broker shares it."""
    return "`relex worker --queues score` starts one"


def wait_for_background(job_id: str) -> str:
    """Say how a job gets scored without a broker: each `relex status` starts missing background processes."""
    return f"a background process of this machine scores it; {follow(job_id)}"


def purge_without_asking() -> str:
    """Say how to delete, or only list, jobs without a terminal."""
    return "`--yes` deletes without asking, `--dry-run` only lists"


# Values of options


def age() -> str:
    """Show an age."""
    return "as in `--older-than 30d`"


def error_budget() -> str:
    """Show both kinds of error budget."""
    return "as in `--max-failed 10` or `--max-failed 0.5%`"


def change() -> str:
    """Show a change to a recipe."""
    return "as in `--set train.epochs=3`"


def name_data_file(key: str) -> str:
    """Say how to replace a missing data file of a recipe; FILE is a placeholder."""
    return f"`--set {key}=FILE` names another"


def queues() -> str:
    """Show what a worker can work on."""
    return "as in `--queues score,train`"


def one_process() -> str:
    """Say how to have several processes, which need a broker."""
    return "without it one process works in the foreground: `relex worker`"


# Model versions


def list_models() -> str:
    """Say how to see the model versions."""
    return "`relex models` lists them"


def current_model() -> str:
    """Say how to see which version scores new jobs."""
    return "`relex models` shows which version is current"


def first_model() -> str:
    """Say how to get a model version where there is none."""
    return "`relex db upgrade` registers the one that comes with relex"


def name_model() -> str:
    """Say, to who imports a folder, how to name the version."""
    return "`--name my_model` gives it one"


def train_as_encoder(folder: object) -> str:
    """Say how to use a folder that is an encoder, no classifier."""
    return f"`relex train --config base --set {quote(f'backbone.name={folder}')}` trains it as an encoder"


# Searches


def train_recipe(recipe: object) -> str:
    """Say how to train what a search found."""
    return f"`relex train --config {quote(str(recipe))}` trains it"


def make_folder(folder: object) -> str:
    """Say how to make a folder that is missing."""
    return f"`mkdir -p {quote(str(folder))}` makes it"


def recipe_file(file: object) -> str:
    """Say, to who searches, how to name the best trial's recipe."""
    return f"`--out {quote(str(file))}` names another"


def another_study(study: str) -> str:
    """Say, to who searches, how to begin another study."""
    return f"`--study {quote(study)}` begins another"


# Workers and tables


def write_health(file: object) -> str:
    """Say how a worker writes a health file and how it is read."""
    path = quote(str(file))
    return f"`relex worker --health-file {path}` writes one, `relex health --file {path}` reads it"


UPGRADE = "relex db upgrade"
"""What brings the tables up to date."""


def upgrade_tables() -> str:
    """Say how to bring the tables up to date."""
    return f"`{UPGRADE}` brings them up to date"


def grant_rights() -> str:
    """Say how the owner of the tables gives a role its rights."""
    return f"their owner grants this role its rights: `{UPGRADE} --help`"


def update_relex() -> str:
    """Say what to do where the tables are newer than this relex."""
    return "update relex here as it was installed"
