"""Weights that come as a pickle, turned into safetensors once, by a process that can do nothing else.

`unpickle.py` is that process. It gets no variable of ours (passwords, tokens), no network, and one folder to write to.
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
from relex.hints import hub as hints

logger = logging.getLogger(__name__)

CHILD = Path(__file__).with_name("unpickle.py")
CONVERT_SECONDS = 3_600.0
KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HOME", "LANG", "TMPDIR")
"""What a child needs to find torch and its libraries."""
SET_VARIABLES = {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
WEIGHTS = "model.safetensors"
SOURCE = "source.json"
"""Beside the weights: what they were read from."""


def sha256(path: Path) -> str:
    """The digest of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(files: Sequence[Path]) -> str:
    """One name for the content of these files."""
    return hashlib.sha256(" ".join(map(sha256, files)).encode()).hexdigest()


def convert(name: str, files: Sequence[Path], folder: Path) -> Path:
    """Read pickled weights by torch's restricted loader and keep them as safetensors in `folder`.

    Args:
        name: the backbone, for messages.
        files: all parts of the weights.
        folder: where they are kept; it appears whole or not at all, and is given back as it is if it is there.

    Raises:
        InvalidConfig: the pickle asks for more than tensors, or is damaged.
        RelexError: the process died, or the weights cannot be kept.
    """
    try:
        with WeakFileLock(folder.with_name(f"{folder.name}.lock")):
            if not (folder / WEIGHTS).is_file():
                _fill(name, files, folder)
    except OSError as error:
        raise RelexError(hints.unwritable_cache(name, error, str(folder.parent))) from error
    return folder


def _fill(name: str, files: Sequence[Path], folder: Path) -> None:
    """Convert beside the folder and put the whole in its place; the caller holds the lock."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
    unfinished.mkdir()
    try:
        how = _run(name, files, unfinished / WEIGHTS)
        digests = {path.name: sha256(path) for path in files}
        content = json.dumps({"backbone": name, "sha256": digests}, indent=2)
        (unfinished / SOURCE).write_text(f"{content}\n", "utf-8")
        # safetensors lets nobody but the owner read it; the cache may be shared.
        (unfinished / WEIGHTS).chmod((unfinished / SOURCE).stat().st_mode)
        shutil.rmtree(folder, ignore_errors=True)  # without weights, or it would have been taken
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    said = ", ".join(f"{file} (sha256 {value})" for file, value in digests.items())
    logger.info("%s: read %s by torch's restricted loader, %s; kept as safetensors in %s", name, said, how, folder)


def _run(name: str, files: Sequence[Path], target: Path) -> str:
    """Convert in a process of its own; gives how that was kept from the network."""
    kept = {key: os.environ[key] for key in KEPT_VARIABLES if key in os.environ}
    paths = os.pathsep.join(path for path in sys.path if path)
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(CHILD), *(str(path.absolute()) for path in (target, *files))],
            env=kept | SET_VARIABLES | {"PYTHONPATH": paths},
            cwd=target.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CONVERT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RelexError(f"backbone {name}: its weights were not converted in {CONVERT_SECONDS:,.0f} s") from error
    said = done.stdout.strip().rpartition("\n")[2]
    answer = json.loads(said) if said.startswith("{") else {}
    if done.returncode == 0 and "confined" in answer:
        return str(answer["confined"])
    if "refused" in answer:
        raise InvalidConfig(hints.unreadable_pickle(name, ", ".join(path.name for path in files), answer["refused"]))
    why = f"signal {-done.returncode}: did memory run out?" if done.returncode < 0 else done.stderr.strip()
    last_line = why.rpartition("\n")[2]
    raise RelexError(f"backbone {name}: the process that converts its weights died: {last_line}")
