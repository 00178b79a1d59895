"""OpenVINO as a contestant: our network converted as it is, rows sorted by length, requests in flight.

It gets the same batches as the others that sort, and whichever number of streams is faster on this machine.
"""

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import numpy as np
import openvino
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from relex.benchmark.engine import EngineSettings, EngineUnavailable
from relex.benchmark.engines import MAX_TOKENS, as_predictions
from relex.domain.examples import Example, Prediction
from relex.encoding.batches import by_token_budget, collate
from relex.encoding.tokens import EncodedExample
from relex.model.checkpoint import LoadedCheckpoint, load
from relex.model.classifier import RelationClassifier

Inputs = Mapping[str, NDArray[Any]]

TRIED = 4
"""Batches, of all lengths, by which the number of streams is chosen."""


class Converted:
    """A network in OpenVINO's own form."""

    def __init__(self, checkpoint: LoadedCheckpoint, examples: Sequence[Example]) -> None:
        self._checkpoint = checkpoint
        example = collate(next(self.batches(examples)), checkpoint.pad_token_id).tensors()
        with quietly(), torch.inference_mode():
            self.model = openvino.convert_model(Logits(checkpoint.model), example_input=example)
        self.labels = checkpoint.labels
        self._names = {port.get_any_name() for port in self.model.inputs}

    def batches(self, examples: Sequence[Example]) -> Iterator[list[EncodedExample]]:
        """The examples by length, at most 2,048 padded tokens together."""
        return by_token_budget(self._checkpoint.encoder.encode(examples), MAX_TOKENS)

    def inputs(self, batch: Sequence[EncodedExample]) -> Inputs:
        """A batch as the converted network takes it."""
        tensors = collate(batch, self._checkpoint.pad_token_id).tensors()
        return {name: tensor.numpy() for name, tensor in tensors.items() if name in self._names}


class OpenVinoEngine:
    """A converted network compiled for this CPU."""

    def __init__(self, converted: Converted, examples: Sequence[Example], precision: str, hint: str) -> None:
        self.precision = precision
        self._converted = converted
        self._hint = hint
        tries = {streams: self._seconds(streams, examples) for streams in sorted({1, len(os.sched_getaffinity(0))})}
        streams = min(tries, key=lambda each: tries[each])
        told = ", ".join(f"{each}: {seconds:.2f} s" for each, seconds in tries.items())
        self.note = f"{streams} stream{'s' if streams > 1 else ''}, the best of {told}"
        self._queue = self._compiled(streams)

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """All batches are sent, and collected when the last is done."""
        batches = list(self._converted.batches(examples))
        for batch, logits in zip(batches, self._run(self._queue, batches), strict=True):
            yield as_predictions(batch, torch.from_numpy(logits), self._converted.labels)

    def _run(self, queue: Any, batches: Sequence[Sequence[EncodedExample]]) -> list[NDArray[np.float32]]:
        """The logits of each batch. Shape of each: [B, labels]."""
        found: dict[int, NDArray[np.float32]] = {}

        def keep(request: Any, number: int) -> None:
            found[number] = request.get_output_tensor().data.copy()

        queue.set_callback(keep)
        for number, batch in enumerate(batches):
            queue.start_async(self._converted.inputs(batch), number)
        queue.wait_all()
        return [found[number] for number in range(len(batches))]

    def _compiled(self, streams: int) -> Any:
        settings = {"INFERENCE_PRECISION_HINT": self._hint, "NUM_STREAMS": streams}
        return openvino.AsyncInferQueue(openvino.Core().compile_model(self._converted.model, "CPU", settings))

    def _seconds(self, streams: int, examples: Sequence[Example]) -> float:
        """Of a few batches, the better of two passes after a first one."""
        batches = list(self._converted.batches(examples))
        some = batches[:: -(-len(batches) // TRIED)]
        queue = self._compiled(streams)
        self._run(queue, some)
        return min(self._timed(queue, some) for _ in range(2))

    def _timed(self, queue: Any, batches: Sequence[Sequence[EncodedExample]]) -> float:
        started = perf_counter()
        self._run(queue, batches)
        return perf_counter() - started


def bf16(setting: EngineSettings) -> OpenVinoEngine:
    """In 16 bit.

    Raises:
        LeftOut: the contest is not on a CPU, or on one that cannot multiply such numbers.
    """
    if "BF16" not in capabilities(setting):
        raise EngineUnavailable("this CPU does not multiply 16-bit numbers")
    return OpenVinoEngine(Converted(load(setting.checkpoint), setting.examples), setting.examples, "bf16", "bf16")


def capabilities(setting: EngineSettings) -> list[str]:
    """What OpenVINO says of this CPU.

    Raises:
        LeftOut: the others score on something else.
    """
    if torch.device(setting.device).type != "cpu":
        raise EngineUnavailable(
            f"it scores on the CPU, the others on {setting.device}; RELEX_DEVICE=cpu brings them together"
        )
    found: list[str] = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return found


class Logits(nn.Module):
    """The network with a tensor for an answer, which is all that a trace can hold."""

    def __init__(self, model: RelationClassifier) -> None:
        super().__init__()
        self._model = model

    def forward(  # noqa: PLR0913, PLR0917 - the tensors of a Batch, by name
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor,
        subject_mask: Tensor,
        object_mask: Tensor,
        subject_marker: Tensor,
        object_marker: Tensor,
    ) -> Tensor:
        """Shape: [B, labels]."""
        logits: Tensor = self._model(
            input_ids, attention_mask, token_type_ids, subject_mask, object_mask, subject_marker, object_marker
        ).logits
        return logits


@contextmanager
def quietly() -> Iterator[None]:
    """Tracing and quantizing warn of what is checked here by comparing predictions, and of others' deprecations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
