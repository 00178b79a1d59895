"""The engines of the package: the public way, sorted rows, transformers' Pipeline, and relex itself.

`plain` is the baseline of all ratios, `sorted` the reference of all predictions. The pipeline runs relex's network in
transformers' own loop, batching and padding: the ready-made text classification would do the same work on another
network, whose probabilities could not be compared.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Pipeline

from relex.benchmark.ceiling import DTYPES
from relex.benchmark.plan import ENGINES, Engine, EngineFactory, EngineSettings
from relex.domain.examples import Example, Prediction, all_predicted
from relex.encoding.batches import batch_by_token_budget, collate
from relex.encoding.tokens import EncodedExample
from relex.inference.networks import PADDED_TOKENS
from relex.inference.scorer import Scorer
from relex.model.checkpoint import LoadedCheckpoint, load
from relex.model.devices import half_precision

BATCH_ROWS = 32
"""Rows in a batch of the public way and of transformers' pipeline."""
MAX_TOKENS = PADDED_TOKENS
"""Maximum number of padded tokens in a batch, for all engines that sort by length."""


class PaddedEngine:
    """A network in fp32 on one device that takes padded batches; its subclasses choose the batches."""

    precision = "fp32"
    note = ""

    def __init__(self, settings: EngineSettings) -> None:
        self._device = torch.device(settings.device)
        self._checkpoint = load(settings.checkpoint, self._device)

    @torch.inference_mode()
    def _predict(self, encoded: Sequence[EncodedExample], length: int = 0) -> list[Prediction]:
        """Score one batch, padded to its longest example or to `length` tokens if that is more."""
        checkpoint = self._checkpoint
        tensors = _pad_to(length, collate(encoded, checkpoint.pad_token_id).tensors(), checkpoint.pad_token_id)
        on_device = {name: tensor.to(self._device) for name, tensor in tensors.items()}
        return to_predictions(encoded, checkpoint.model(**on_device).logits, checkpoint.labels)


class PlainEngine(PaddedEngine):
    """Rows in the file's order, each tokenized by its own call and padded to the model's window."""

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """Yield the predictions of one batch of rows after another."""
        window = self._checkpoint.model.relation.max_length
        for start in range(0, len(examples), BATCH_ROWS):
            rows = examples[start : start + BATCH_ROWS]
            yield self._predict([self._checkpoint.encoder.encode([row])[0] for row in rows], window)


class SortedEngine(PaddedEngine):
    """Rows of similar length together, tokenized by one call."""

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """Yield the predictions of batches of at most 2,048 padded tokens, shortest rows first."""
        for encoded in batch_by_token_budget(self._checkpoint.encoder.encode(examples), MAX_TOKENS):
            yield self._predict(encoded)


def to_predictions(encoded: Sequence[EncodedExample], logits: Tensor, labels: Sequence[str]) -> list[Prediction]:
    """Turn the logits of a batch, of shape [B, labels] and on any device, into predictions."""
    probabilities = logits.float().softmax(-1).cpu()
    best = probabilities.argmax(-1).tolist()
    return [
        Prediction(example.row_no, labels[label], tuple(row), example.truncated)
        for example, label, row in zip(encoded, best, probabilities.tolist(), strict=True)
    ]


def _pad_to(length: int, tensors: Mapping[str, Tensor], pad_token_id: int) -> dict[str, Tensor]:
    """Pad a batch further: tensors of shape [B, L] become [B, length], unless L is already more."""
    missing = max(0, length - tensors["input_ids"].shape[1])
    return {
        name: functional.pad(tensor, (0, missing), value=pad_token_id if name == "input_ids" else 0)
        if tensor.dim() > 1
        else tensor
        for name, tensor in tensors.items()
    }


class PipelineEngine:
    """Rows in the file's order, 32 in a batch, padded to the longest of them."""

    precision = "fp32"
    note = ""

    def __init__(self, settings: EngineSettings) -> None:
        # Without a value, the pipeline would keep every tokenizer of this process from using several cores.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        self._pipeline = RelationPipeline(load(settings.checkpoint, settings.device), settings.device)

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """Yield all predictions at once: the pipeline makes the batches."""
        yield self._pipeline(list(examples), batch_size=BATCH_ROWS)


class RelationPipeline(Pipeline):
    """The four steps that transformers asks for."""

    def __init__(self, checkpoint: LoadedCheckpoint, device: str) -> None:
        tokenizer: Any = checkpoint.encoder.tokenizer  # a fast tokenizer, which transformers' types do not allow
        super().__init__(model=checkpoint.model, tokenizer=tokenizer, device=torch.device(device))
        self._checkpoint = checkpoint

    def _sanitize_parameters(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return {}, {}, {}

    def preprocess(self, input_: Example, **_: Any) -> dict[str, Any]:
        """Return one row as tensors of shape [1, L] and [1]; the pipeline stacks and pads them."""
        encoded = self._checkpoint.encoder.encode([input_])
        metadata = {"row_no": torch.tensor([input_.row_no]), "truncated": torch.tensor([encoded[0].truncated])}
        return collate(encoded, self._checkpoint.pad_token_id).tensors() | metadata

    def _forward(self, input_tensors: dict[str, Any], **_: Any) -> Any:
        metadata = {name: input_tensors.pop(name) for name in ("row_no", "truncated")}
        return {"logits": self.model(**input_tensors).logits, **metadata}

    def postprocess(self, model_outputs: Any, **_: Any) -> Prediction:
        """Turn the logits of one row, of shape [1, labels], into a prediction."""
        probabilities = model_outputs["logits"][0].float().softmax(-1).tolist()
        label = self._checkpoint.labels[probabilities.index(max(probabilities))]
        row_no, truncated = int(model_outputs["row_no"]), bool(model_outputs["truncated"])
        return Prediction(row_no, label, tuple(probabilities), truncated)


class RelexEngine:
    """The scorer that a worker holds."""

    note = ""

    def __init__(self, scorer: Scorer) -> None:
        self.precision = next(name for name, dtype in DTYPES.items() if dtype is scorer.dtype)
        self._scorer = scorer

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """Yield the predictions of one batch after another, as for a shard."""
        for batch in self._scorer.score(examples):
            yield all_predicted(batch, examples)


def open_exact(settings: EngineSettings) -> RelexEngine:
    """Open relex in float32, whatever the checkpoint's parity check allows."""
    return RelexEngine(Scorer(settings.checkpoint, settings.device, torch.float32))


def open_default(settings: EngineSettings) -> RelexEngine:
    """Open relex as a worker does; random weights have no parity check and count as if they had passed one."""
    dtype = half_precision(torch.device(settings.device)) if settings.random else None
    return RelexEngine(Scorer(settings.checkpoint, settings.device, dtype))


_OPENERS: Mapping[str, Callable[[EngineSettings], Engine]] = {
    "plain": PlainEngine,
    "pipeline": PipelineEngine,
    "sorted": SortedEngine,
    "exact": open_exact,
    "relex": open_default,
}
FACTORIES: Mapping[str, EngineFactory] = {name: EngineFactory(info, _OPENERS[name]) for name, info in ENGINES.items()}
"""All engines of the package, by name."""
