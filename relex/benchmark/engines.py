"""The two fp32 ways that need nothing but torch: as the public code does it, and with rows sorted by length.

`Plain` is the baseline of all ratios, `Sorted` the reference of all predictions.

transformers' own Pipeline round our network: its loop, its batching, its padding.

The stock text classification would do the same work on another network; this one gives comparable probabilities.

relex's own scorer as a contestant: the one place of the contest that knows how it is opened.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Pipeline

from relex.benchmark.ceiling import TYPES
from relex.benchmark.engine import EngineSettings
from relex.domain.examples import Example, Prediction, all_predicted
from relex.encoding.batches import by_token_budget, collate
from relex.encoding.tokens import EncodedExample
from relex.inference.networks import PADDED_TOKENS
from relex.inference.scorer import Scorer
from relex.model.checkpoint import LoadedCheckpoint, load
from relex.model.devices import half_precision

ROWS = 32
"""Rows a batch of the public way and of transformers' pipeline."""
MAX_TOKENS = PADDED_TOKENS
"""Padded tokens a batch, for all who sort by length."""


class PaddedEngine:
    """A network in fp32 on one device, fed with padded batches; its users choose the batches."""

    precision = "fp32"
    note = ""

    def __init__(self, setting: EngineSettings) -> None:
        self._device = torch.device(setting.device)
        self._checkpoint = load(setting.checkpoint, self._device)

    @torch.inference_mode()
    def _predict(self, encoded: Sequence[EncodedExample], length: int = 0) -> list[Prediction]:
        """Score one batch, padded to its longest example or to `length` tokens if that is more."""
        checkpoint = self._checkpoint
        tensors = _widened(collate(encoded, checkpoint.pad_token_id).tensors(), length, checkpoint.pad_token_id)
        placed = {name: tensor.to(self._device) for name, tensor in tensors.items()}
        return as_predictions(encoded, checkpoint.model(**placed).logits, checkpoint.labels)


class PlainEngine(PaddedEngine):
    """Rows in the file's order, each tokenized by a call of its own and padded to the model's window."""

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """One batch of rows after another."""
        window = self._checkpoint.model.relation.max_length
        for start in range(0, len(examples), ROWS):
            rows = examples[start : start + ROWS]
            yield self._predict([self._checkpoint.encoder.encode([row])[0] for row in rows], window)


class SortedEngine(PaddedEngine):
    """Rows of like length together, tokenized by one call."""

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """One batch of at most 2,048 padded tokens after another, shortest rows first."""
        for encoded in by_token_budget(self._checkpoint.encoder.encode(examples), MAX_TOKENS):
            yield self._predict(encoded)


def as_predictions(encoded: Sequence[EncodedExample], logits: Tensor, labels: Sequence[str]) -> list[Prediction]:
    """The predictions of a batch whose logits have shape [B, labels], on any device."""
    probabilities = logits.float().softmax(-1).cpu()
    best = probabilities.argmax(-1).tolist()
    return [
        Prediction(example.row_no, labels[label], tuple(row), example.truncated)
        for example, label, row in zip(encoded, best, probabilities.tolist(), strict=True)
    ]


def _widened(tensors: Mapping[str, Tensor], length: int, pad_token_id: int) -> dict[str, Tensor]:
    """The tensors of a batch with more padding: those of shape [B, L] become [B, length]."""
    missing = max(0, length - tensors["input_ids"].shape[1])
    return {
        name: functional.pad(tensor, (0, missing), value=pad_token_id if name == "input_ids" else 0)
        if tensor.dim() > 1
        else tensor
        for name, tensor in tensors.items()
    }


class PipelineEngine:
    """Rows in the file's order, 32 a batch, padded to the longest among them."""

    precision = "fp32"
    note = ""

    def __init__(self, setting: EngineSettings) -> None:
        # Unless somebody has decided, the pipeline would forbid every tokenizer in this process to use several cores.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        self._pipeline = RelationPipeline(load(setting.checkpoint, setting.device), setting.device)

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """All of them at once: the pipeline makes the batches."""
        yield self._pipeline(list(examples), batch_size=ROWS)


class RelationPipeline(Pipeline):
    """The four steps that transformers asks for."""

    def __init__(self, checkpoint: LoadedCheckpoint, device: str) -> None:
        tokenizer: Any = checkpoint.encoder.tokenizer  # a fast one, which transformers' types forget
        super().__init__(model=checkpoint.model, tokenizer=tokenizer, device=torch.device(device))
        self._checkpoint = checkpoint

    def _sanitize_parameters(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return {}, {}, {}

    def preprocess(self, input_: Example, **_: Any) -> dict[str, Any]:
        """One row as tensors of shape [1, L] and [1]; the pipeline stacks and pads them."""
        encoded = self._checkpoint.encoder.encode([input_])
        facts = {"row_no": torch.tensor([input_.row_no]), "truncated": torch.tensor([encoded[0].truncated])}
        return collate(encoded, self._checkpoint.pad_token_id).tensors() | facts

    def _forward(self, input_tensors: dict[str, Any], **_: Any) -> Any:
        facts = {name: input_tensors.pop(name) for name in ("row_no", "truncated")}
        return {"logits": self.model(**input_tensors).logits, **facts}

    def postprocess(self, model_outputs: Any, **_: Any) -> Prediction:
        """One row; shape of its logits: [1, labels]."""
        probabilities = model_outputs["logits"][0].float().softmax(-1).tolist()
        label = self._checkpoint.labels[probabilities.index(max(probabilities))]
        row_no, truncated = int(model_outputs["row_no"]), bool(model_outputs["truncated"])
        return Prediction(row_no, label, tuple(probabilities), truncated)


class RelexEngine:
    """What a worker would hold."""

    note = ""

    def __init__(self, scorer: Scorer) -> None:
        self.precision = next(name for name, dtype in TYPES.items() if dtype is scorer.dtype)
        self._scorer = scorer

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """One batch after another, as for a shard."""
        for batch in self._scorer.score(examples):
            yield all_predicted(batch, examples)


def exact(setting: EngineSettings) -> RelexEngine:
    """In float32, whatever the checkpoint's gate allows."""
    return RelexEngine(Scorer(setting.checkpoint, setting.device, torch.float32))


def default(setting: EngineSettings) -> RelexEngine:
    """As a worker opens it; random weights, which no gate has judged, as if they had passed."""
    forced = half_precision(torch.device(setting.device)) if setting.random else None
    return RelexEngine(Scorer(setting.checkpoint, setting.device, forced))
