"""What every command needs: settings, a database, a console for people, and the options they share."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console

from relex.db.connection import Database
from relex.flows.database import open_database
from relex.settings import Settings

quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print only results and errors.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

encoding_option = click.option(
    "--encoding", default="utf-8", show_default=True, help="Encoding of the CSV, such as cp949 or utf-16."
)
data_encoding_option = click.option(
    "--encoding", metavar="ENCODING", help="Encoding of the recipe's CSVs; short for --set data.encoding=ENCODING."
)


@contextmanager
def opened() -> Iterator[tuple[Settings, Database]]:
    """The settings that hold here and an open database."""
    settings = Settings.from_env()
    with open_database(settings) as database:
        yield settings, database


def talk(*, quiet: bool = False) -> Console:
    """Where people are spoken to: stderr, so that stdout carries data alone.

    NO_COLOR is obeyed. Square brackets are just text: names and messages of others hold them too.
    """
    return Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True, markup=False)


def answer() -> Console:
    """Where answers for people go: stdout."""
    return Console(highlight=False, soft_wrap=True)
