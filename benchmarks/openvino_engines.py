"""OpenVINO as a scoring engine: relex's network converted as it is, rows sorted by length, several requests at a time.

It gets the same batches as the other engines that sort, and as many streams as are fastest on this machine. NNCF
quantizes the converted network to 8 bit after training.
"""

import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from relex.benchmark.engines import MAX_TOKENS, to_predictions
from relex.benchmark.plan import EngineSettings, EngineUnavailable
from relex.domain.examples import Example, Prediction
from relex.encoding.batches import batch_by_token_budget, collate
from relex.encoding.tokens import EncodedExample
from relex.model.checkpoint import LoadedCheckpoint, load
from relex.model.classifier import RelationClassifier

# OpenVINO and NNCF report over the network that they are used, unless this module is missing.
_missing: Any = None
sys.modules.setdefault("openvino_telemetry", _missing)

import openvino  # noqa: E402 - after its telemetry was switched off

Inputs = Mapping[str, NDArray[Any]]

TRIAL_BATCHES = 4
"""Number of batches, of all lengths, by which the number of streams is chosen."""
CALIBRATION_BATCHES = 16
"""Number of batches, of all lengths, whose activations choose the scales of the 8-bit network."""


class ConvertedNetwork:
    """A network in OpenVINO's format."""

    def __init__(self, checkpoint: LoadedCheckpoint, examples: Sequence[Example]) -> None:
        self._checkpoint = checkpoint
        example = collate(next(self.batches(examples)), checkpoint.pad_token_id).tensors()
        with without_warnings(), torch.inference_mode():
            self.model = openvino.convert_model(LogitsOnly(checkpoint.model), example_input=example)
        self.labels = checkpoint.labels
        self._names = {port.get_any_name() for port in self.model.inputs}

    def batches(self, examples: Sequence[Example]) -> Iterator[list[EncodedExample]]:
        """Group the examples by length, at most 2,048 padded tokens in a batch."""
        return batch_by_token_budget(self._checkpoint.encoder.encode(examples), MAX_TOKENS)

    def inputs(self, batch: Sequence[EncodedExample]) -> Inputs:
        """Collate a batch into the arrays that the converted network takes."""
        tensors = collate(batch, self._checkpoint.pad_token_id).tensors()
        return {name: tensor.numpy() for name, tensor in tensors.items() if name in self._names}


class OpenVinoEngine:
    """A converted network compiled for this CPU."""

    def __init__(self, network: ConvertedNetwork, examples: Sequence[Example], precision: str, hint: str) -> None:
        self.precision = precision
        self._network = network
        self._hint = hint
        trials = {streams: self._seconds(streams, examples) for streams in sorted({1, len(os.sched_getaffinity(0))})}
        streams = min(trials, key=lambda each: trials[each])
        durations = ", ".join(f"{each}: {seconds:.2f} s" for each, seconds in trials.items())
        self.note = f"{streams} stream{'s' if streams > 1 else ''}, the best of {durations}"
        self._queue = self._compile(streams)

    def score(self, examples: Sequence[Example]) -> Iterator[list[Prediction]]:
        """Send all batches, then yield their predictions when the last one has finished."""
        batches = list(self._network.batches(examples))
        for batch, logits in zip(batches, self._run(self._queue, batches), strict=True):
            yield to_predictions(batch, torch.from_numpy(logits), self._network.labels)

    def _run(self, queue: Any, batches: Sequence[Sequence[EncodedExample]]) -> list[NDArray[np.float32]]:
        """Return the logits of each batch. Shape of each: [B, labels]."""
        logits: dict[int, NDArray[np.float32]] = {}

        def store(request: Any, number: int) -> None:
            logits[number] = request.get_output_tensor().data.copy()

        queue.set_callback(store)
        for number, batch in enumerate(batches):
            queue.start_async(self._network.inputs(batch), number)
        queue.wait_all()
        return [logits[number] for number in range(len(batches))]

    def _compile(self, streams: int) -> Any:
        settings = {"INFERENCE_PRECISION_HINT": self._hint, "NUM_STREAMS": streams}
        return openvino.AsyncInferQueue(openvino.Core().compile_model(self._network.model, "CPU", settings))

    def _seconds(self, streams: int, examples: Sequence[Example]) -> float:
        """Time a few batches, and return the better of two passes after a first one."""
        batches = list(self._network.batches(examples))
        trial = batches[:: -(-len(batches) // TRIAL_BATCHES)]
        queue = self._compile(streams)
        self._run(queue, trial)
        return min(self._timed(queue, trial) for _ in range(2))

    def _timed(self, queue: Any, batches: Sequence[Sequence[EncodedExample]]) -> float:
        start = perf_counter()
        self._run(queue, batches)
        return perf_counter() - start


def open_bf16(settings: EngineSettings) -> OpenVinoEngine:
    """Open OpenVINO in 16 bit.

    Raises:
        EngineUnavailable: the benchmark does not run on a CPU, or on one that cannot multiply 16-bit numbers.
    """
    if "BF16" not in capabilities(settings):
        raise EngineUnavailable("this CPU does not multiply 16-bit numbers")
    return OpenVinoEngine(
        ConvertedNetwork(load(settings.checkpoint), settings.examples), settings.examples, "bf16", "bf16"
    )


def open_int8(settings: EngineSettings) -> OpenVinoEngine:
    """Open OpenVINO in 8 bit where NNCF finds that possible, and the rest in 16 bit if the CPU can.

    Raises:
        EngineUnavailable: the benchmark does not run on a CPU.
        ModuleNotFoundError: NNCF is not installed.
    """
    import nncf  # noqa: PLC0415 - it may be missing where OpenVINO is there

    hint = "bf16" if "BF16" in capabilities(settings) else "f32"
    network = ConvertedNetwork(load(settings.checkpoint), settings.examples)
    batches = list(network.batches(settings.examples))
    calibration = [network.inputs(batch) for batch in batches[:: -(-len(batches) // CALIBRATION_BATCHES)]]
    with without_warnings(), redirect_stdout(io.StringIO()):  # NNCF draws its progress on stdout, which is for data
        network.model = nncf.quantize(
            network.model,
            nncf.Dataset(calibration),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(calibration),
        )
    return OpenVinoEngine(network, settings.examples, "int8", hint)


def capabilities(settings: EngineSettings) -> list[str]:
    """Ask OpenVINO which number formats this CPU multiplies.

    Raises:
        EngineUnavailable: the other engines score on another device.
    """
    if torch.device(settings.device).type != "cpu":
        raise EngineUnavailable(
            f"it scores on the CPU, the others on {settings.device}; set RELEX_DEVICE=cpu to compare them"
        )
    names: list[str] = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return names


class LogitsOnly(nn.Module):
    """The network with a tensor as its output, which is all that a trace can hold."""

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
        """Return the logits. Shape: [B, labels]."""
        logits: Tensor = self._model(
            input_ids, attention_mask, token_type_ids, subject_mask, object_mask, subject_marker, object_marker
        ).logits
        return logits


@contextmanager
def without_warnings() -> Iterator[None]:
    """Silence tracing and quantizing: their warnings are checked by comparing predictions, or are deprecations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
