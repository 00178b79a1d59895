"""OpenVINO in 8 bit: the converted network, quantized after training by NNCF with some of the rows themselves.

Apart from `intel`, because NNCF may be missing where OpenVINO is there.
"""

import io
from contextlib import redirect_stdout

import nncf

from relex.benchmark.engine import EngineSettings
from relex.benchmark.openvino import Converted, OpenVinoEngine, capabilities, quietly
from relex.model.checkpoint import load

CALIBRATION = 16
"""Batches, of all lengths, whose activations choose the scales."""


def int8(setting: EngineSettings) -> OpenVinoEngine:
    """In 8 bit where NNCF finds that it may, the rest in 16 bit if the CPU can.

    Raises:
        LeftOut: the contest is not on a CPU.
    """
    hint = "bf16" if "BF16" in capabilities(setting) else "f32"
    converted = Converted(load(setting.checkpoint), setting.examples)
    batches = list(converted.batches(setting.examples))
    some = [converted.inputs(batch) for batch in batches[:: -(-len(batches) // CALIBRATION)]]
    with quietly(), redirect_stdout(io.StringIO()):  # NNCF draws its progress on stdout, which is for data
        converted.model = nncf.quantize(
            converted.model, nncf.Dataset(some), model_type=nncf.ModelType.TRANSFORMER, subset_size=len(some)
        )
    return OpenVinoEngine(converted, setting.examples, "int8", hint)
