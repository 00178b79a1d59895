"""The bf16 parity check: the same labeled examples scored in 16 bit and in float32."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from relex.domain.examples import Example, Prediction, all_predicted
from relex.evaluation.metrics import micro_f1
from relex.inference.scorer import Scorer
from relex.model.devices import half_precision, name_of, resolve_device
from relex.model.folder import classifiers
from relex.model.parity import Parity, read_parity, write_parity

MAX_EXAMPLES = 2048
"""Maximum number of examples scored; enough to distinguish 99% from 99.5%."""


def check_parity(folder: Path, examples: Sequence[Example], device: str = "auto") -> None:
    """Measure every classifier of a checkpoint that was not measured yet, and write its parity.json.

    Nothing happens on a device that has no 16-bit unit: such a checkpoint is scored in float32 everywhere.

    Args:
        folder: a checkpoint or an ensemble, not registered yet.
        examples: labeled examples; of more than MAX_EXAMPLES, a sample at equal distances is scored.
        device: as in `Scorer`.

    Raises:
        as `Scorer` and its `score`.
    """
    half = half_precision(resolve_device(device))
    if half is None:
        return
    sample = examples[:: -(-len(examples) // MAX_EXAMPLES)]
    for classifier in classifiers(folder):
        if read_parity(classifier) is None:
            scorer = Scorer(classifier, device, half)
            if scorer.dtype is half:  # a padded encoder supports only float32
                exact = _score(Scorer(classifier, device, torch.float32), sample)
                write_parity(classifier, _compare(name_of(half), sample, _score(scorer, sample), exact))


def _score(scorer: Scorer, examples: Sequence[Example]) -> list[Prediction]:
    return all_predicted(chain.from_iterable(scorer.score(examples)), examples)


def _compare(
    dtype: str, examples: Sequence[Example], predictions: Sequence[Prediction], exact: Sequence[Prediction]
) -> Parity:
    gold = [str(example.label) for example in sorted(examples, key=lambda example: example.row_no)]
    labels, exact_labels = ([each.label for each in side] for side in (predictions, exact))
    probabilities, exact_probabilities = (
        np.array([each.probabilities for each in side]) for side in (predictions, exact)
    )
    return Parity(
        dtype=dtype,
        examples=len(gold),
        agreement=100 * float(np.mean([a == b for a, b in zip(labels, exact_labels, strict=True)])),
        largest_difference=float(np.abs(probabilities - exact_probabilities).max()),
        micro_f1=micro_f1(gold, labels),
        micro_f1_exact=micro_f1(gold, exact_labels),
    )
