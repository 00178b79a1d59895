"""`relex data`: cut a labelled file in two, and look at what files hold."""

from pathlib import Path
from typing import Any

import click

from cli.context import encoding_option, quiet_option, talk
from relex.datasets.page import as_html
from relex.datasets.tables import as_text
from relex.errors import counted, printable
from relex.files.atomic import new_files
from relex.flows.data import DEFAULT_TOKENIZER, describe_files, split_file

csv_path = click.Path(path_type=Path, dir_okay=False)


@click.group("data", short_help="Split and describe labelled files.")
def data_command() -> None:
    """Work on files before any training."""


@data_command.command("split", short_help="Cut a labelled file into train and validation.")
@click.argument("csv", type=csv_path)
@click.option("--out", required=True, metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help="Folder.")
@click.option("--group", "by_group", is_flag=True, help="No sentence and no entity word on both sides.")
@click.option("--valid-share", default=0.2, show_default=True, help="The validation side's share of the rows.")
@click.option("--seed", default=42, show_default=True, help="The same seed gives the same split.")
@encoding_option
@quiet_option
def split_command(csv: Path, out: Path, *, quiet: bool, **how: Any) -> None:
    """Write train_data.csv and valid_data.csv: every label's share kept, or grouped by sentence and entity words.

    A model that remembers names scores high on a plain split; a grouped one shows it only new names.

    Example: relex data split train.csv --out split/ --group
    """
    files = split_file(csv, out, **how)
    console = talk(quiet=quiet)
    for note in files.notes:
        console.print(f"note: {note}")
    for path, rows in ((files.train, files.split.train), (files.valid, files.split.valid)):
        console.print(f"{printable(str(path))}  {counted(len(rows), 'row')}")
    if how["by_group"]:
        console.print(f"largest group that had to stay together: {counted(files.split.largest_group, 'row')}")


@data_command.command("describe", short_help="Count what files hold; compare them.")
@click.argument("csvs", metavar="CSV...", nargs=-1, required=True, type=csv_path)
@click.option("--html", type=csv_path, metavar="FILE", help="Write one HTML page with pictures.")
@click.option("--tokenizer", default=DEFAULT_TOKENIZER, type=csv_path, help="tokenizer.json for lengths in tokens.")
@encoding_option
@quiet_option
def describe_command(csvs: tuple[Path, ...], html: Path | None, tokenizer: Path, encoding: str, *, quiet: bool) -> None:
    """Show labels, types, lengths, duplicates and conflicts of files, and how far each has shifted from the first.

    Example: relex data describe train_data.csv valid_data.csv test_data.csv --html data.html
    """
    description = describe_files(csvs, tokenizer, encoding)
    click.echo(as_text(description))
    if html:
        with new_files(html.parent) as drafts:
            (drafts / html.name).write_bytes(as_html(description).encode())
        talk(quiet=quiet).print(printable(str(html)))
