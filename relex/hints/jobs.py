"""Hints about jobs, training runs and models: one function for each, run by `tests/hints` against what provokes it.

What a person types stands in backticks and works as printed: a whole command, or an option to add to the command that
was typed before. Nothing here decides anything.
"""

from shlex import quote

# The command line


def show_help(command: str) -> str:
    """Say how to learn the use of a command."""
    return f"`{command} --help` shows how to use it"


# Jobs and training runs


def list_jobs() -> str:
    """Say how to list jobs."""
    return "`relex jobs` lists them"


def list_runs() -> str:
    """Say how to list training runs."""
    return "`relex runs` lists them"


def first_job() -> str:
    """Say how to submit a first job."""
    return "`relex submit --help` shows how to submit one"


def first_run() -> str:
    """Say how to queue a first training run."""
    return "`relex train --help` shows how to start one"


def follow(ref: str) -> str:
    """Say how to follow a job or a run."""
    return f"`relex status {ref} --follow` follows it"


def cancel(ref: str) -> str:
    """Say how to cancel a job or a run."""
    return f"`relex cancel {ref}` cancels it"


def resume(job_id: str) -> str:
    """Say how to resume a paused job."""
    return f"`relex resume {job_id}` resumes it"


def retry(job_id: str, *, rows: bool = False) -> str:
    """Say how to retry the unscored rows of an ended job; with `rows` also its row errors."""
    return f"`relex retry {job_id}{' --rows' * rows}` retries what is unscored"


def retry_row_errors() -> str:
    """Say which option of `relex retry` also retries row errors."""
    return "`--rows` retries those, too"


def allow_more_errors(rows: int) -> str:
    """Say which error budget of `relex retry` the row errors fit into."""
    return f"`--max-failed {rows}` allows them"


def export_partial() -> str:
    """Say which option of `relex export` writes an unfinished job."""
    return "`--partial` writes the predictions that it has"


def export_row_errors(job_id: str) -> str:
    """Say how to learn why rows could not be scored."""
    return f"`relex export {job_id} --out outputs` writes them with the reasons"


def fewer_rows(rows: int) -> str:
    """Say how to export rows that do not fit into a worksheet: the most doubtful ones, or all in another format."""
    return f"`--doubtful {rows}` takes the closest decisions, or write all of them: `--format csv`"


def csv_instead() -> str:
    """Say which option of `relex export` writes cells of any length."""
    return "`--format csv` writes it whole"


def export_to_folder() -> str:
    """Say which option of `relex export` writes files instead of standard output."""
    return "`--out outputs` writes files"


def write_review() -> str:
    """Say how to write a file for a person to label."""
    return "`relex review --out review.csv` writes one"


def name_job() -> str:
    """Say which option of `relex data labels` names the job; the newest one is an example."""
    return "as in `--job @last`"


def accepted_only() -> str:
    """Say which option writes accepted rows in a layout that cannot say which are accepted."""
    return "`--accepted-only` writes just these rows"


def submit_again() -> str:
    """Say how to submit a file again."""
    return "`--again` makes a new job"


def skip_invalid() -> str:
    """Say how to submit only the valid rows of a file."""
    return "`--skip-invalid` submits only the valid rows"


def start_worker() -> str:
    """Say how to start a worker where there is a broker."""
    return "`relex worker --queues score` starts one"


def wait_for_background(job_id: str) -> str:
    """Say who scores without a broker: each `relex status` starts the background processes that are missing."""
    return f"a background process of this machine scores it; {follow(job_id)}"


def purge_without_asking() -> str:
    """Say how to delete or list jobs where there is no terminal."""
    return "`--yes` deletes without asking, `--dry-run` only lists"


# Values of options


def max_error() -> str:
    """Show an example of a promised error."""
    return "as in `--max-error 10%`"


def age() -> str:
    """Show an example of an age."""
    return "as in `--older-than 30d`"


def error_budget() -> str:
    """Show an example of each kind of error budget."""
    return "as in `--max-failed 10` or `--max-failed 0.5%`"


def change() -> str:
    """Show an example of a change to a recipe."""
    return "as in `--set train.epochs=3`"


def name_data_file(key: str) -> str:
    """Say how to name another data file of a recipe; FILE is a placeholder."""
    return f"`--set {key}=FILE` names another"


def queues() -> str:
    """Show an example of the queues of a worker."""
    return "as in `--queues score,train`"


def one_process() -> str:
    """Say how to run a single process, which needs no broker."""
    return "without it one process works in the foreground: `relex worker`"


def entity(role: str) -> str:
    """Show an example of an entity of `relex predict`."""
    return f"as in `--{role} 비틀즈:ORG`"


def occurrence(role: str, entity: str) -> str:
    """Say how to name one of several places of a word; the option replaces the one that was typed."""
    return f"hint: `--{role} {quote(entity)}` takes the first"


def list_types() -> str:
    """Say how to list the entity types."""
    return "`relex labels` lists them"


# Model versions


def list_labels() -> str:
    """Say how to list the relations."""
    return "`relex labels` lists them"


def list_models() -> str:
    """Say how to list model versions."""
    return "`relex models` lists them"


def current_model() -> str:
    """Say how to learn which version scores new jobs."""
    return "`relex models` shows which version is current"


def first_model() -> str:
    """Say how to register a first model version."""
    return "`relex db upgrade` registers the one that comes with relex"


def calibrate(model: str) -> str:
    """Say how to calibrate a version; FILE is a placeholder."""
    return f"`relex models calibrate {model} --on FILE` measures what its probabilities mean"


def split_data() -> str:
    """Say how to get labeled rows that a version is not trained on."""
    return "`relex data split --help` shows how to hold some back"


def name_model() -> str:
    """Say which option names an imported version."""
    return "`--name my_model` gives it one"


def train_as_encoder(folder: object) -> str:
    """Say how to train a folder that holds an encoder but no classifier."""
    return f"`relex train --config base --set {quote(f'backbone.name={folder}')}` trains it as an encoder"


# Tuning


def train_recipe(recipe: object) -> str:
    """Say how to train the recipe that `relex tune` wrote."""
    return f"`relex train --config {quote(str(recipe))}` trains it"


def make_folder(folder: object) -> str:
    """Say how to create a missing folder."""
    return f"`mkdir -p {quote(str(folder))}` creates it"


def recipe_file(file: object) -> str:
    """Say which option of `relex tune` names the file of the best recipe."""
    return f"`--out {quote(str(file))}` names another"


def another_study(study: str) -> str:
    """Say which option of `relex tune` starts another study."""
    return f"`--study {quote(study)}` starts another"


# Workers and tables


def write_health(file: object) -> str:
    """Say how a worker writes a health file and how a probe reads it."""
    path = quote(str(file))
    return f"`relex worker --health-file {path}` writes one, `relex health --file {path}` reads it"


UPGRADE = "relex db upgrade"
"""The command that upgrades the tables."""


def upgrade_tables() -> str:
    """Say how to upgrade the tables."""
    return f"`{UPGRADE}` upgrades them"


def grant_privileges() -> str:
    """Say how the owner of the tables grants a role its privileges."""
    return f"their owner grants this role its privileges: `{UPGRADE} --help`"


def update_relex() -> str:
    """Say what to do if the tables are newer than this relex."""
    return "update relex here as it was installed"
