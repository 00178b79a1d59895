"""Splitting and describing labeled files before a training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from relex.datasets.describe import Description, describe
from relex.datasets.split import Split, grouped_split, stratified_split
from relex.encoding.plain_text import token_counts
from relex.files.atomic import new_files
from relex.files.inputs import open_input
from relex.files.options import AUTO, ReadOptions
from relex.files.paths import shown_path
from relex.files.reading import (
    ReportReading,
    check_labeled,
    copy_records,
    read_all_examples,
    read_checked,
    report_nothing,
)
from relex.registry.model_versions import SHIPPED

DEFAULT_TOKENIZER = SHIPPED / "starter" / "tokenizer.json"


@dataclass(frozen=True, slots=True)
class SplitFiles:
    """The two files of a split."""

    train: Path
    valid: Path
    split: Split


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """How a file is split."""

    by_group: bool
    """Keep rows that share a sentence or an entity word on one side; otherwise keep every label's share."""
    valid_share: float
    """The validation side's share of the rows, between 0 and 1."""
    seed: int
    """The same seed gives the same split."""


def split_file(
    path: Path,
    out: Path,
    how: SplitOptions,
    options: ReadOptions = AUTO,
    report: ReportReading = report_nothing,
) -> SplitFiles:
    """Write `train_data.csv` and `valid_data.csv`, whose records together are those of the file.

    Args:
        path: a labeled file without bad rows.
        out: folder for the two files.
        how: how it is split.
        options: how the file is read.
        report: receives how it was read.

    Raises:
        InvalidCsv: the file has bad rows, rows without label, or too few rows of a label.
        InvalidInput: valid_share is not between 0 and 1.
        RelexError: other files go by these names, or the folder cannot be written to.
    """
    train, valid = "train_data.csv", "valid_data.csv"
    with open_input(path, options) as file:
        facts = check_labeled(file, report)
        examples = list(read_checked(file, facts))
        if how.by_group:
            split = grouped_split(examples, how.valid_share, how.seed)
        else:
            split = stratified_split([str(example.label) for example in examples], how.valid_share, how.seed)
        with new_files(out) as staging:
            copy_records(file, {staging / train: split.train, staging / valid: split.valid})
    return SplitFiles(out / train, out / valid, split)


def describe_files(
    paths: Sequence[Path],
    tokenizer_file: Path = DEFAULT_TOKENIZER,
    options: ReadOptions = AUTO,
    report: ReportReading = report_nothing,
) -> Description:
    """Describe the contents of files, and compare each with the first.

    Args:
        paths: CSVs without bad rows, with or without labels.
        tokenizer_file: a tokenizer.json, for the lengths in tokens.
        options: how the files are read.
        report: receives how each was read.

    Raises:
        InvalidCsv: a file has bad rows or none.
        InvalidInput: the tokenizer cannot be read.
    """
    files = {shown_path(path): read_all_examples(path, options, report) for path in paths}
    tokens = {
        name: token_counts(tokenizer_file, [example.sentence for example in examples])
        for name, examples in files.items()
    }
    return describe(files, tokens)
