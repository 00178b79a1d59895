"""The check whether a model was trained on the rows that it is evaluated on.

A version knows the digests of its training files, if relex trained it. Rows are compared where such a file still lies
where it was read, unchanged; a checkpoint that was made elsewhere can only be recognized by the file as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from relex.domain.examples import Entity, Example
from relex.domain.versions import ModelVersion, TrainingFile
from relex.errors import RelexError, printable
from relex.files.reading import read_all_examples
from relex.files.text import sha256_of


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
        return (
            SeenRows(
                f"{version} does not say what it was trained on: if these rows were, its scores are too high", False
            ),
        )
    if any(file.sha256 == data_sha256 for file in version.trained_on):
        return (SeenRows(f"{version} was trained on this file: its scores say nothing about other rows", True),)
    return tuple(seen for file in version.trained_on for seen in _compared(version, file, examples))


def _compared(version: ModelVersion, file: TrainingFile, examples: Sequence[Example]) -> Sequence[SeenRows]:
    trained_on = _read(file)
    name = printable(file.name)
    if trained_on is None:
        return [
            SeenRows(
                f"{version} was trained on {name}, which is no longer at its path: its rows are not compared", False
            )
        ]
    contents = {_content(example) for example in trained_on}
    seen = sum(_content(example) in contents for example in examples)
    if not seen:
        return []
    share = f"{seen:,} of {len(examples):,} rows here are rows of {name}, on which {version} was trained"
    return [SeenRows(f"{share}: its scores are too high", True)]


def _read(file: TrainingFile) -> list[Example] | None:
    """Return the rows of a training file; None if it is no longer where it was read, or has changed."""
    try:
        if file.path is None or sha256_of(Path(file.path)) != file.sha256:
            return None
        return read_all_examples(Path(file.path), file.encoding)
    except (OSError, RelexError):
        return None


def _content(example: Example) -> tuple[str, Entity, Entity]:
    return example.sentence, example.subject, example.object
