"""Work on labelled files before any training: cut them in two, and look at what they hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from relex.analysis.describing import Description, describe
from relex.analysis.splitting import Split, grouped, stratified
from relex.csvfile.copying import copy_records
from relex.csvfile.reading import check_labelled, read_examples, read_whole
from relex.encoding.counting import token_counts
from relex.flows.models import SHIPPED

DEFAULT_TOKENIZER = SHIPPED / "starter" / "tokenizer.json"


@dataclass(frozen=True, slots=True)
class SplitFiles:
    """Where the two sides of a split were written."""

    train: Path
    valid: Path
    split: Split


def split_file(path: Path, out: Path, *, by_group: bool, valid_share: float, seed: int) -> SplitFiles:
    """Write `train_data.csv` and `valid_data.csv`, whose records together are those of the file.

    Args:
        path: a labelled file without bad rows.
        out: folder for the two files.
        by_group: keep rows that share a sentence or an entity word on one side; otherwise keep every label's share.
        valid_share: the validation side's share of the rows, between 0 and 1.
        seed: the same seed gives the same split.

    Raises:
        InvalidCsv: the file has bad rows, rows without label, or too few rows of a label.
        InvalidInput: valid_share is no share.
    """
    facts = check_labelled(path)
    examples = list(read_examples(path, facts))
    if by_group:
        split = grouped(examples, valid_share, seed)
    else:
        split = stratified([str(example.label) for example in examples], valid_share, seed)
    out.mkdir(parents=True, exist_ok=True)
    train, valid = out / "train_data.csv", out / "valid_data.csv"
    copy_records(path, facts, {train: split.train, valid: split.valid})
    return SplitFiles(train, valid, split)


def describe_files(paths: Sequence[Path], tokenizer_file: Path = DEFAULT_TOKENIZER) -> Description:
    """Count what the files hold, and compare each with the first.

    Args:
        paths: CSVs without bad rows, with or without labels.
        tokenizer_file: a tokenizer.json, for the lengths in tokens.

    Raises:
        InvalidCsv: a file has bad rows or none.
        InvalidInput: the tokenizer cannot be read.
    """
    files = {str(path): read_whole(path) for path in paths}
    tokens = {
        name: token_counts(tokenizer_file, [example.sentence for example in examples])
        for name, examples in files.items()
    }
    return describe(files, tokens)
