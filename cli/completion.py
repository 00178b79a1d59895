"""`relex completion`, and what the shells complete: ids and model versions out of Postgres, fast and silently."""

import os
from collections.abc import Callable
from contextlib import closing, suppress

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from relex.db import jobs, model_versions, runs
from relex.db.connection import Database, Transaction
from relex.db.ids import LAST
from relex.embedded.users import running_url
from relex.settings import Settings

SHELLS = ("bash", "zsh", "fish")
MAX_IDS = 50
"""Number of recent jobs and of recent training runs that are offered."""

Items = list[CompletionItem]
_NEWEST = CompletionItem(LAST, help="the newest one")

BASH_SCRIPT = """\
%(complete_func)s() {
    local IFS=$'\\n' response completion type value
    response=$(env COMP_LINE="${COMP_LINE:0:$COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \
%(complete_var)s=bash_complete "$1")
    COMPREPLY=()
    for completion in $response; do
        IFS=',' read -r type value <<< "$completion"
        if [[ $type == 'dir' ]]; then
            compopt -o dirnames
        elif [[ $type == 'file' ]]; then
            compopt -o default
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=("$value")
        fi
    done
    return 0
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def completion_command(shell: str) -> None:
    """Print the script that lets SHELL complete commands, options, ids, recipes, model versions and files.

    \b
    bash: relex completion bash > ~/.relex-completion.bash
          echo 'source ~/.relex-completion.bash' >> ~/.bashrc
    zsh:  relex completion zsh > ~/.relex-completion.zsh
          echo 'source ~/.relex-completion.zsh' >> ~/.zshrc   # below the line with compinit
    fish: relex completion fish > ~/.config/fish/completions/relex.fish

    Takes effect in new shells. Ids come from the configured database; an embedded one that is not running is not
    started.

    Example: relex completion bash > ~/.relex-completion.bash
    """  # noqa: D301 - click wants the character itself, not the two of a raw string
    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"no completion for {shell}")
    script = completion(click.Command("relex"), {}, "relex", "_RELEX_COMPLETE").source()
    click.echo(script, nl=False)


class RelexBashComplete(BashComplete):
    """Completion for bash of words that hold `@`, `=` or `:`, at which bash splits the line."""

    source_template = BASH_SCRIPT
    _word = ""
    """The word under the cursor as a person sees it."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor and the one under it, out of the whole line."""
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)
        if not words or line[-1:].isspace():
            return words[1:], ""
        self._word = words[-1]
        return words[1:-1], self._word

    def format_completion(self, item: CompletionItem) -> str:
        """Leave out what stands before the last character at which bash splits: bash keeps it."""
        breaks = os.environ.get("COMP_WORDBREAKS", "")
        end = max((self._word.rfind(char) + 1 for char in "@=:" if char in breaks), default=0)
        prefix = self._word[:end]
        return f"{item.type},{str(item.value).removeprefix(prefix)}"


add_completion_class(RelexBashComplete)


def complete_job_id(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete the id of a job."""
    return _fitting([*_query(_jobs), _NEWEST], incomplete)


def complete_any_id(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete the id of a job or a training run."""
    return _fitting([*_query(lambda tx: [*_jobs(tx), *_runs(tx)]), _NEWEST], incomplete)


def complete_model(_: click.Context, __: click.Parameter, incomplete: str) -> Items:
    """Complete a model version."""
    return _fitting(_query(_models), incomplete)


def _jobs(tx: Transaction) -> Items:
    return [CompletionItem(job.id, help=f"{job.file_name}, {job.total:,} rows") for job in jobs.newest(tx, MAX_IDS)]


def _runs(tx: Transaction) -> Items:
    return [CompletionItem(run.id, help=f"{run.name} {run.state}") for run in runs.newest(tx, MAX_IDS)]


def _models(tx: Transaction) -> Items:
    versions = model_versions.every(tx)
    return [CompletionItem(str(each), help="current" if each.current else None) for each in versions]


def _fitting(items: Items, incomplete: str) -> Items:
    return [item for item in items if str(item.value).startswith(incomplete)]


def _query(read: Callable[[Transaction], Items]) -> Items:
    """Ask the database; an error must not print a message in the middle of the command line."""
    with suppress(Exception):
        settings = Settings.from_env()
        if url := settings.database_url or running_url(settings.home):
            with closing(Database(_impatient(url))) as database, database.transaction() as tx:
                return read(tx)
    return []


def _impatient(url: str) -> str:
    """Return the URL with a short timeout; one that it names takes precedence."""
    separator = "&" if "?" in url else "?"
    return url if "connect_timeout=" in url else f"{url}{separator}connect_timeout=1"
