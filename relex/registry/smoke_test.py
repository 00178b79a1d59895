"""The smoke test: whether a checkpoint can score at all, tried once before it is registered.

Weights that are cut off, of another shape or no numbers, a tokenizer of another model, a window that the backbone has
no positions for: names and digests do not show any of these.
"""

from itertools import chain
from pathlib import Path

from relex.domain.examples import Entity, Example, all_predicted
from relex.errors import BadCheckpoint, RelexError
from relex.inference.ensemble import open_scorer

SUBJECT, OBJECT = "한국", "서울"
LONG = 600
"""Number of words of a sentence that has more tokens than any window."""


def run_smoke_test(folder: Path) -> None:
    """Let a checkpoint score two sentences on the CPU, one of them longer than its window.

    Raises:
        BadCheckpoint: it cannot be loaded, or its result is not a prediction.
    """
    try:
        examples = [_example(0, 0), _example(1, LONG)]
        all_predicted(chain.from_iterable(open_scorer(folder, "cpu", exact=True).score(examples)), examples)
    except BadCheckpoint:
        raise
    except (RelexError, RuntimeError, ValueError, IndexError, TypeError) as error:
        words = " ".join(str(error).split())
        raise BadCheckpoint(f"{folder}: cannot score a sentence: {words}; restore the folder") from error


def _example(row_no: int, words: int) -> Example:
    """Return a sentence with `words` words behind its two entities."""
    sentence = f"{SUBJECT}의 수도는 {OBJECT}이다.{' 그렇다' * words}"
    start = sentence.index(OBJECT)
    return Example(
        row_no,
        "smoke test",
        sentence,
        Entity(SUBJECT, 0, len(SUBJECT), "ORG"),
        Entity(OBJECT, start, start + len(OBJECT), "LOC"),
    )
