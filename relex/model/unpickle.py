"""A script that converts pickled weights to safetensors: `python -P unpickle.py TARGET SOURCE ...`.

torch's restricted loader creates tensors only. In case it has a vulnerability, this process also has no network and may
not write, start programs or unpickle with Python's own module. It prints one line of JSON: how it is confined, or why
the file is refused. relex never imports it.
"""

import ctypes
import json
import os
import re
import resource
import signal
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

NEW_USERS, NEW_NETWORK = 0x10000000, 0x40000000
"""Flags of unshare(2)."""
DIE_WITH_PARENT, NO_NEW_PRIVILEGES = 1, 38
"""Options of prctl(2)."""
REASON_CHARACTERS = 200
EXTRA_BYTES = 64_000_000
"""Bytes that the result may have beyond twice the size of the sources."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NETWORK = "socket."
HARMLESS = frozenset({"socket.gethostname"})
REFUSED = (
    "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.startfile", "pty.", "os.kill",
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
    "os.utime", "os.setxattr", "os.removexattr", "shutil.", "tempfile.", "ctypes.", "pickle.find_class", "signal.",
    "webbrowser.", "ftplib.", "http.", "urllib.", "smtplib.", "imaplib.", "poplib.", "nntplib.", "telnetlib.",
)  # fmt: skip
"""Prefixes of audit events that reading tensors never raises."""


def leave_network(sources: Iterable[Path]) -> str:
    """Give up the network and other rights for good, and return a description for the log."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = 2 * sum(path.stat().st_size for path in sources) + EXTRA_BYTES
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    sys.addaudithook(refuse_network)
    with suppress(OSError, AttributeError):  # only Linux has them
        libc = ctypes.CDLL(None)
        libc.prctl(DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        if 0 in (libc.unshare(NEW_NETWORK), libc.unshare(NEW_USERS | NEW_NETWORK)):
            return "in a process with a network of its own, which leads nowhere"
    return "in a process whose sockets are refused"


def refuse_network(event: str, _: tuple[Any, ...]) -> None:
    """Refuse sockets; an audit hook, which Python cannot remove."""
    if event.startswith(NETWORK) and event not in HARMLESS:
        raise PermissionError(f"refused: {event}")


def refuse_the_rest(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse everything that reading tensors does not need; an audit hook."""
    if event.startswith(REFUSED) or (event == "open" and _writes(*arguments)):
        raise PermissionError(f"refused: {event}")


def _writes(_: object, mode: str | None, flags: int) -> bool:
    return bool(flags & WRITES) or any(letter in (mode or "") for letter in "wax+")


def main(target: str, *sources: str) -> int:
    """Convert the files, and return the exit code: 1 if a file is refused."""
    paths = [Path(source) for source in sources]
    confined = leave_network(paths)
    sys.addaudithook(refuse_the_rest)
    state: dict[str, torch.Tensor] = {}
    try:
        for path in paths:
            state |= tensors_of(torch.load(path, map_location="cpu", weights_only=True))
    except MemoryError:
        raise  # a problem of the machine, not of the file
    except Exception as error:  # noqa: BLE001 - a damaged file can raise anything
        print(json.dumps({"refused": reason_of(error)}))  # noqa: T201 - read by the parent
        return 1
    save_file(unshared(state), target, metadata={"format": "pt"})
    print(json.dumps({"confined": confined}))  # noqa: T201
    return 0


def tensors_of(content: object) -> dict[str, Any]:
    """Return the named tensors of a pickle.

    Raises:
        TypeError, ValueError: it contains something else.
    """
    if not isinstance(content, Mapping):
        raise TypeError(f"it holds {type(content).__name__}, not named tensors")
    others = [name for name, value in content.items() if str(getattr(value, "layout", None)) != "torch.strided"]
    if others or not content:
        raise ValueError(f"it holds more than plain tensors: {', '.join(map(str, others[:3])) or 'nothing'}")
    return {str(name): value for name, value in content.items()}


def unshared(state: Mapping[str, Any]) -> dict[str, Any]:
    """Copy tensors that share memory, which safetensors does not support."""
    seen: set[int] = set()
    copies = {}
    for name, value in state.items():
        memory = value.untyped_storage()
        whole = value.is_contiguous() and memory.nbytes() == value.nbytes and memory.data_ptr() not in seen
        seen.add(memory.data_ptr())
        copies[name] = value.detach() if whole else value.detach().clone().contiguous()
    return copies


def reason_of(error: Exception) -> str:
    """Describe in one line why a file cannot be read, without torch's advice to open it anyway."""
    if match := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"it asks for {match[1]}, which is not a tensor"
    if match := re.search(r"WeightsUnpickler error: ([^\n]+)", str(error)):
        return match[1][:REASON_CHARACTERS]
    return re.split(r"[\n.]", str(error), maxsplit=1)[0][:REASON_CHARACTERS] or type(error).__name__


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
