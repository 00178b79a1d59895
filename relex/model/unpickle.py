"""A process that reads pickled weights and writes them as safetensors: `python -P unpickle.py TARGET SOURCE ...`.

torch's restricted loader makes tensors and nothing else. Should it have a hole, this process still has no network and
no right to write, start programs or open a pickle by Python's own module. It prints one line of JSON: how it is
confined, or why the file is refused. relex never imports it.
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
ROOM = 64_000_000
"""Bytes that the written file may be larger than twice the read ones."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NETWORK = "socket."
HARMLESS = frozenset({"socket.gethostname"})
REFUSED = (
    "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.startfile", "pty.", "os.kill",
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
    "os.utime", "os.setxattr", "os.removexattr", "shutil.", "tempfile.", "ctypes.", "pickle.find_class", "signal.",
    "webbrowser.", "ftplib.", "http.", "urllib.", "smtplib.", "imaplib.", "poplib.", "nntplib.", "telnetlib.",
)  # fmt: skip
"""How the audit events begin that no reader of tensors raises."""


def leave_network(sources: Iterable[Path]) -> str:
    """Give up the network and what else can be given up for good; gives how, for the log."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = 2 * sum(path.stat().st_size for path in sources) + ROOM
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    sys.addaudithook(refuse_network)
    with suppress(OSError, AttributeError):  # Linux alone has them
        libc = ctypes.CDLL(None)
        libc.prctl(DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
        libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        if 0 in (libc.unshare(NEW_NETWORK), libc.unshare(NEW_USERS | NEW_NETWORK)):
            return "in a process with a network of its own, which leads nowhere"
    return "in a process whose sockets are refused"


def refuse_network(event: str, _: tuple[Any, ...]) -> None:
    """Refuse sockets: an audit hook, which Python cannot take away again."""
    if event.startswith(NETWORK) and event not in HARMLESS:
        raise PermissionError(f"refused: {event}")


def refuse_the_rest(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what reading tensors never asks for: an audit hook."""
    if event.startswith(REFUSED) or (event == "open" and _writes(*arguments)):
        raise PermissionError(f"refused: {event}")


def _writes(_: object, mode: str | None, flags: int) -> bool:
    return bool(flags & WRITES) or any(letter in (mode or "") for letter in "wax+")


def main(target: str, *sources: str) -> int:
    """Convert; 1 where the file is refused."""
    paths = [Path(source) for source in sources]
    confined = leave_network(paths)
    sys.addaudithook(refuse_the_rest)
    state: dict[str, torch.Tensor] = {}
    try:
        for path in paths:
            state |= tensors_of(torch.load(path, map_location="cpu", weights_only=True))
    except MemoryError:
        raise  # the machine's fault, not the file's
    except Exception as error:  # noqa: BLE001 - whatever a damaged file makes of the loader
        print(json.dumps({"refused": reason_of(error)}))  # noqa: T201 - read by the parent
        return 1
    save_file(apart(state), target, metadata={"format": "pt"})
    print(json.dumps({"confined": confined}))  # noqa: T201
    return 0


def tensors_of(content: object) -> dict[str, Any]:
    """The named tensors in what was read.

    Raises:
        TypeError, ValueError: it holds something else.
    """
    if not isinstance(content, Mapping):
        raise TypeError(f"it holds {type(content).__name__}, not named tensors")
    strange = [name for name, value in content.items() if str(getattr(value, "layout", None)) != "torch.strided"]
    if strange or not content:
        raise ValueError(f"it holds more than plain tensors: {', '.join(map(str, strange[:3])) or 'nothing'}")
    return {str(name): value for name, value in content.items()}


def apart(state: Mapping[str, Any]) -> dict[str, Any]:
    """Each tensor with memory of its own: safetensors takes no two names for one."""
    seen: set[int] = set()
    alone = {}
    for name, value in state.items():
        memory = value.untyped_storage()
        whole = value.is_contiguous() and memory.nbytes() == value.nbytes and memory.data_ptr() not in seen
        seen.add(memory.data_ptr())
        alone[name] = value.detach() if whole else value.detach().clone().contiguous()
    return alone


def reason_of(error: Exception) -> str:
    """One line about why a file cannot be read, without torch's advice to open it anyway."""
    if asked := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"it asks for {asked[1]}, which is no tensor"
    if detail := re.search(r"WeightsUnpickler error: ([^\n]+)", str(error)):
        return detail[1][:REASON_CHARACTERS]
    return re.split(r"[\n.]", str(error), maxsplit=1)[0][:REASON_CHARACTERS] or type(error).__name__


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
