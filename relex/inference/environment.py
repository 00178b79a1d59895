"""What the bits of a prediction rest on beside the model version: kept with a job, so that it can be reproduced."""

import platform
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import torch

from relex.model.devices import name_of

ONEDNN = re.compile(r"(?:oneDNN|MKL-DNN) v(\S+)")
CPU_NAME = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)
CPU_FACTS = Path("/proc/cpuinfo")
PACKAGES = ("relex", "torch", "transformers", "tokenizers")


def describe_environment(device: torch.device, dtype: torch.dtype) -> Mapping[str, str]:
    """Describe the device, the type of the computation and the libraries."""
    onednn = ONEDNN.search(torch.__config__.show())
    libraries = {name: version(name) for name in PACKAGES}
    libraries |= {"onednn": onednn[1]} if onednn and device.type == "cpu" else {}
    libraries |= {"cuda": str(torch.version.cuda)} if device.type == "cuda" else {}
    return {"device": _describe_device(device), "dtype": name_of(dtype), **libraries}


def _describe_device(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type
    facts = CPU_FACTS.read_text("utf-8", "replace") if CPU_FACTS.is_file() else ""
    name = CPU_NAME.search(facts)
    return f"{name[1] if name else platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"
