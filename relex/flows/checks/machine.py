"""The checks of this machine: the home folder, its disk, the device, the embedded Postgres."""

import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import Protocol

from relex import lazy
from relex.embedded import locks
from relex.embedded.description import Description, describe
from relex.errors import RelexError
from relex.flows.checks.result import CheckResult, error, warning
from relex.hints import doctor as hints

SCARCE = 1_000_000_000
"""Free bytes below which a large checkpoint or an export may not fit."""
FULL = 200_000_000
"""Free bytes below which the embedded Postgres may not be able to write."""

GPU = Path("/dev/nvidiactl")


class Device(Protocol):
    """A torch device."""

    type: str
    """`cpu` or `cuda`."""


class ResolveDevice(Protocol):
    """A lookup of the device that a setting means."""

    def __call__(self, name: str, /) -> Device:
        """Return the device, or raise InvalidConfig if this machine does not have it."""


def home(folder: Path) -> CheckResult:
    """Check that the home folder is writable, with a nameless temporary file that is gone at once."""
    there = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=there) as probe:
            probe.write(b"relex")
    except OSError as exc:
        text = f"{folder} cannot be written to: user id {os.geteuid()}, {there}: {exc.strerror}"
        return error("home", text, _writable_home(folder, there, exc))
    return CheckResult("home", f"{folder}{'' if folder.exists() else ' (created on first use)'}")


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists and may be looked into."""
    return next(path for path in (folder, *folder.parents) if os.access(path, os.F_OK, effective_ids=True))


def _writable_home(folder: Path, there: Path, exc: OSError) -> str:
    """Return the suggestion that fits the cause; it never changes what belongs to another user."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return hints.free_space(there)
    if not isinstance(exc, PermissionError) or not there.is_dir():
        return hints.other_home()
    if there != folder:
        return hints.create_folder(folder)
    if there.stat().st_uid == os.geteuid():
        return hints.open_folder(folder)
    return hints.other_home(f"{folder} belongs to user id {there.stat().st_uid}")


def disk(folder: Path) -> CheckResult:
    """Check the free space on the disk of the home folder."""
    there = _existing(folder)
    usage = shutil.disk_usage(there)
    text = f"{usage.free / 1e9:,.1f} of {usage.total / 1e9:,.1f} GB free at {there}"
    if usage.total and usage.free < SCARCE:  # a file system without a size, such as /proc, has none to lack
        return (error if usage.free < FULL else warning)("disk", f"only {text}", hints.free_space(there))
    return CheckResult("disk", text)


def device(name: str, gpu: Path = GPU) -> CheckResult:
    """Check that the configured device can be used; the path `gpu` exists on a machine with a GPU."""
    if name == "cpu" or (name == "auto" and not gpu.exists()):
        return CheckResult("device", f"{name}: the CPU")
    try:
        resolved = lazy.load_device_resolver()(name)
    except RelexError as exc:
        return error("device", str(exc), hints.default_device())
    if resolved.type == "cpu" and gpu.exists():
        return warning("device", f"there is a GPU ({gpu}), but torch cannot use it: the CPU scores", hints.repair_gpu())
    return CheckResult("device", f"{name}: {resolved}")


def embedded(folder: Path) -> tuple[CheckResult, Description | None]:
    """Check the embedded Postgres of the home folder without starting it.

    Returns:
        The result, and the description of a Postgres that can be used for further checks, or None.
    """
    try:
        description = describe(folder)
    except (RelexError, OSError) as exc:
        return error("database", str(exc), hints.name_database()), None
    text = f"embedded {description.version} in {description.data}"
    if description.running and locks.is_free(description.users_lock):
        warning_text = f"{text} was left running: the process that used it was killed"
        return warning("database", warning_text, hints.stop_embedded()), None
    if description.crashed:
        return warning("database", f"{text} was killed and has not recovered yet", hints.stop_embedded()), None
    if not description.created:
        return CheckResult("database", f"{text}, created on first use"), None
    return CheckResult("database", f"{text}, {'running' if description.running else 'starts when needed'}"), description
