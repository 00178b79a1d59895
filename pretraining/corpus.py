"""The lines of the corpus, streamed because it may be larger than memory."""

import lzma
from collections.abc import Iterator, Sequence
from pathlib import Path

from pretraining.config import Texts
from relex.encoding.markers import mark
from relex.errors import InvalidConfig
from relex.files.lookalikes import composed
from relex.files.reading import read_labeled_examples


def corpus_lines(files: Sequence[str]) -> Iterator[str]:
    """Yield all lines that are not empty, in the order of the files.

    Raises:
        InvalidConfig: a file does not exist or is not compressed with xz.
    """
    for name in files:
        try:
            with lzma.open(name, "rt", encoding="utf-8") as lines:
                yield from (composed(line.strip()) for line in lines if not line.isspace())
        except (OSError, lzma.LZMAError) as exc:
            raise InvalidConfig(f"texts.corpus: {name}: {exc}; give .txt.xz files") from exc


def task_pairs(texts: Texts) -> list[tuple[str, str]]:
    """Read the marked sentences of the task, each with its type sentence.

    Raises:
        InvalidCsv: the file cannot be used.
    """
    examples = read_labeled_examples(Path(texts.task))
    marked = [mark(example, texts.scheme, type_sentence=True) for example in examples]
    return [(item.text, item.pair or "") for item in marked]
