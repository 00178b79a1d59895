"""transformers' own Pipeline round our network: its loop, its batching, its padding.

The stock text classification would do the same work on another network; this one gives comparable probabilities.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import Pipeline

from relex.benching.contestant import Setting
from relex.benching.padded import ROWS
from relex.encoding.batches import collate
from relex.examples import Example, Prediction
from relex.model.checkpoint import LoadedCheckpoint, load


class Stock:
    """Rows in the file's order, 32 a batch, padded to the longest among them."""

    precision = "fp32"
    note = ""

    def __init__(self, setting: Setting) -> None:
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
        facts = {"row_no": torch.tensor([input_.row_no]), "window_cut": torch.tensor([encoded[0].window_cut])}
        return collate(encoded, self._checkpoint.pad_token_id).tensors() | facts

    def _forward(self, input_tensors: dict[str, Any], **_: Any) -> Any:
        facts = {name: input_tensors.pop(name) for name in ("row_no", "window_cut")}
        return {"logits": self.model(**input_tensors).logits, **facts}

    def postprocess(self, model_outputs: Any, **_: Any) -> Prediction:
        """One row; shape of its logits: [1, labels]."""
        probabilities = model_outputs["logits"][0].float().softmax(-1).tolist()
        label = self._checkpoint.labels[probabilities.index(max(probabilities))]
        row_no, window_cut = int(model_outputs["row_no"]), bool(model_outputs["window_cut"])
        return Prediction(row_no, label, tuple(probabilities), window_cut)
