"""The check whether a model was trained on the rows that it is evaluated on.

A version that relex trained records the digests of its training files. Rows are compared only if such a file is still
at its original path and unchanged. Otherwise only the digest of the whole file can match.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from relex.domain.examples import Entity, Example
from relex.domain.versions import ModelVersion, TrainingFile
from relex.errors import RelexError, printable
from relex.files.options import ReadOptions
from relex.files.paths import sha256_of
from relex.files.reading import read_all_examples


@dataclass(frozen=True, slots=True)
class SeenRows:
    """A statement on whether one version was trained on rows of one labeled file."""

    text: str
    """One sentence, for people."""
    certain: bool
    """Whether it is certain that rows of the file were trained on; otherwise it is unknown."""

    def __str__(self) -> str:
        return f"{'warning' if self.certain else 'note'}: {self.text}"


def seen_rows(version: ModelVersion, data_sha256: str, examples: Sequence[Example]) -> tuple[SeenRows, ...]:
    """Report whether a version was trained on examples of the file with this digest; empty if it was not."""
    if version.trained_on is None:
        unknown = f"{version} has no record of its training data; if it includes these rows, the scores are inflated"
        return (SeenRows(unknown, False),)
    if any(file.sha256 == data_sha256 for file in version.trained_on):
        return (SeenRows(f"{version} was trained on this file: its scores do not show how it generalizes", True),)
    return tuple(seen for file in version.trained_on for seen in _compare_rows(version, file, examples))


def _compare_rows(version: ModelVersion, file: TrainingFile, examples: Sequence[Example]) -> Sequence[SeenRows]:
    trained_on = _read(file)
    name = printable(file.name)
    if trained_on is None:
        gone = f"{version} was trained on {name}, which is missing or changed: its rows are not compared"
        return [SeenRows(gone, False)]
    contents = {_content(example) for example in trained_on}
    seen = sum(_content(example) in contents for example in examples)
    if not seen:
        return []
    share = f"{seen:,} of {len(examples):,} rows also occur in {name}, which {version} was trained on"
    return [SeenRows(f"{share}: the scores are inflated", True)]


def _read(file: TrainingFile) -> list[Example] | None:
    """Return the rows of a training file; None if it is no longer where it was read, or has changed."""
    try:
        if file.path is None or sha256_of(Path(file.path)) != file.sha256:
            return None
        return read_all_examples(Path(file.path), ReadOptions.parse(**file.options))
    except (OSError, RelexError):
        return None


def _content(example: Example) -> tuple[str, Entity, Entity]:
    return example.sentence, example.subject, example.object
