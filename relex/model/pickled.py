"""Conversion of pickled weights to safetensors, once, in a sandboxed process.

`unpickle.py` is that process. It gets no environment variables with secrets, no network, and one writable folder.
"""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

from relex.errors import InvalidConfig, RelexError
from relex.hints import models as hints

logger = logging.getLogger(__name__)

CHILD = Path(__file__).with_name("unpickle.py")
CONVERT_SECONDS = 3_600.0
PASSED_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HOME", "LANG", "TMPDIR")
"""Variables that the process needs to find torch and its libraries."""
SET_VARIABLES = {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
WEIGHTS = "model.safetensors"
SOURCE = "source.json"
"""File beside the weights with the digests of the pickles."""


def sha256(path: Path) -> str:
    """Compute the digest of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(files: Sequence[Path]) -> str:
    """Compute one digest for the content of several files."""
    return hashlib.sha256(" ".join(map(sha256, files)).encode()).hexdigest()


def convert(name: str, files: Sequence[Path], folder: Path) -> Path:
    """Convert pickled weights to safetensors in `folder`, with torch's restricted loader.

    Args:
        name: name of the backbone, for messages.
        files: all parts of the weights.
        folder: folder of the result, which appears whole; an existing folder is returned unchanged.

    Raises:
        InvalidConfig: the pickle contains more than tensors, or is damaged.
        RelexError: the process died, or the weights cannot be stored.
    """
    try:
        with WeakFileLock(folder.with_name(f"{folder.name}.lock")):
            if not (folder / WEIGHTS).is_file():
                _fill(name, files, folder)
    except OSError as error:
        raise RelexError(hints.unwritable_cache(name, error, str(folder.parent))) from error
    return folder


def _fill(name: str, files: Sequence[Path], folder: Path) -> None:
    """Convert beside the folder, then rename; the caller holds the lock."""
    staging = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(staging, ignore_errors=True)  # from a killed process
    staging.mkdir()
    try:
        confinement = _run(name, files, staging / WEIGHTS)
        digests = {path.name: sha256(path) for path in files}
        content = json.dumps({"backbone": name, "sha256": digests}, indent=2)
        (staging / SOURCE).write_text(f"{content}\n", "utf-8")
        # safetensors makes the file readable by its owner only; the cache may be shared.
        (staging / WEIGHTS).chmod((staging / SOURCE).stat().st_mode)
        shutil.rmtree(folder, ignore_errors=True)  # it has no weights, or it would have been returned
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    sources = ", ".join(f"{file} (sha256 {value})" for file, value in digests.items())
    logger.info(
        "%s: read %s with torch's restricted loader, %s; stored as safetensors in %s",
        name,
        sources,
        confinement,
        folder,
    )


def _run(name: str, files: Sequence[Path], target: Path) -> str:
    """Convert in a separate process, and return how it was confined."""
    environment = {key: os.environ[key] for key in PASSED_VARIABLES if key in os.environ}
    paths = os.pathsep.join(path for path in sys.path if path)
    try:
        process = subprocess.run(
            [sys.executable, "-P", str(CHILD), *(str(path.absolute()) for path in (target, *files))],
            env=environment | SET_VARIABLES | {"PYTHONPATH": paths},
            cwd=target.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CONVERT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RelexError(f"backbone {name}: its weights were not converted in {CONVERT_SECONDS:,.0f} s") from error
    last_line = process.stdout.strip().rpartition("\n")[2]
    result = json.loads(last_line) if last_line.startswith("{") else {}
    if process.returncode == 0 and "confined" in result:
        return str(result["confined"])
    if "refused" in result:
        raise InvalidConfig(hints.unreadable_pickle(name, ", ".join(path.name for path in files), result["refused"]))
    why = f"signal {-process.returncode}: did memory run out?" if process.returncode < 0 else process.stderr.strip()
    last_line = why.rpartition("\n")[2]
    raise RelexError(f"backbone {name}: the process that converts its weights died: {last_line}")
