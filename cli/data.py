"""`relex data`: split a labeled file in two, and describe what files hold."""

from pathlib import Path
from typing import Any

import click

from cli.context import stderr_console
from cli.params import FILE, FOLDER, TABLE, quiet_option, read_options
from cli.reading_text import ReadingPrinter
from relex.datasets.page import as_html
from relex.datasets.tables import as_text
from relex.errors import counted, printable
from relex.files.atomic import new_files
from relex.files.options import ReadOptions


@click.group("data")
def data_command() -> None:
    """Prepare labeled files before training."""


@data_command.command("split", short_help="Split a labeled file into train and validation.")
@click.argument("table", metavar="FILE", type=TABLE)
@click.option("--out", required=True, metavar="DIR", type=FOLDER, help="Folder to write to.")
@click.option("--group", "by_group", is_flag=True, help="Keep equal sentences and entity words on one side.")
@click.option("--valid-share", metavar="SHARE", default=0.2, show_default=True, help="Share of the validation rows.")
@click.option("--seed", metavar="N", default=42, show_default=True, help="Seed; the same one gives the same split.")
@read_options
@quiet_option
def split_command(table: Path, out: Path, reading: ReadOptions, *, quiet: bool, **options: Any) -> None:
    """Write train_data.csv and valid_data.csv: stratified by label, or grouped by sentence and entity words.

    A model that remembers names scores high on a stratified split; a grouped split validates on new names only.

    Example: relex data split train.csv --out split/ --group
    """
    from relex.flows.data import SplitOptions, split_file  # noqa: PLC0415 - it imports scikit-learn

    console = stderr_console(quiet=quiet)
    files = split_file(table, out, SplitOptions(**options), reading, ReadingPrinter(console))
    for path, rows in ((files.train, files.split.train), (files.valid, files.split.valid)):
        console.print(f"{printable(str(path))}  {counted(len(rows), 'row')}")
    if options["by_group"]:
        console.print(f"largest group that had to stay together: {counted(files.split.largest_group, 'row')}")


@data_command.command("describe", short_help="Count what files hold, and compare them.")
@click.argument("tables", metavar="FILE...", nargs=-1, required=True, type=TABLE)
@click.option("--html", type=FILE, metavar="FILE", help="Write one HTML page with charts.")
@click.option("--tokenizer", metavar="FILE", type=FILE, help="tokenizer.json for lengths.  [default: relex's]")
@read_options
@quiet_option
def describe_command(
    tables: tuple[Path, ...], html: Path | None, tokenizer: Path | None, reading: ReadOptions, *, quiet: bool
) -> None:
    """Show labels, types, lengths, duplicates and conflicts of files, and how far each has shifted from the first.

    Example: relex data describe train_data.csv valid_data.csv test_data.csv --html data.html
    """
    from relex.flows.data import DEFAULT_TOKENIZER, describe_files  # noqa: PLC0415 - it imports pandas

    console = stderr_console(quiet=quiet)
    printer = ReadingPrinter(console, named=len(tables) > 1)
    description = describe_files(tables, tokenizer or DEFAULT_TOKENIZER, reading, printer)
    click.echo(as_text(description))
    if html:
        with new_files(html.parent) as staging:
            (staging / html.name).write_bytes(as_html(description).encode())
        console.print(printable(str(html)))
