"""This machine: the home folder, its disk, the device, the embedded Postgres."""

import os
import pkgutil
import shutil
import tempfile
from pathlib import Path

from relex.embedded import locks
from relex.embedded.description import Description, describe
from relex.errors import RelexError
from relex.flows.findings.finding import Finding, broken, warning

SCARCE = 1_000_000_000
"""Free bytes below which a large checkpoint or an export may not fit."""
FULL = 200_000_000
"""... and below which the embedded Postgres may not be able to write."""

GPU = Path("/dev/nvidiactl")
DEVICE_NAMED = "relex.model.devices:device_named"
"""By name: torch is woken only where a GPU is to be asked."""


def home(folder: Path) -> Finding:
    """Whether the home folder can be written to; a probe without a name is written there, and is gone at once."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    remedy = f'sudo chown -R "$(id -u)" {there}      or another one: export RELEX_HOME=FOLDER'
    try:
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(f"user id {os.geteuid()} may not write to {there}")
        with tempfile.TemporaryFile(dir=there) as probe:
            probe.write(b"relex")
    except OSError as fault:
        return broken("home", f"{folder} cannot be written to: {fault}", remedy)
    return Finding("home", f"{folder}{'' if folder.exists() else ' (made at first use)'}")


def disk(folder: Path) -> Finding:
    """How much is free where the home folder lies."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    usage = shutil.disk_usage(there)
    text = f"{usage.free / 1e9:,.1f} of {usage.total / 1e9:,.1f} GB free at {there}"
    remedy = f"du -xh --max-depth=3 {there} | sort -h | tail      shows what to remove"
    if usage.free < SCARCE:
        return (broken if usage.free < FULL else warning)("disk", f"only {text}", remedy)
    return Finding("disk", text)


def device(name: str, gpu: Path = GPU) -> Finding:
    """Whether the device that is meant can be used; `gpu` exists where there is one."""
    driver = "nvidia-smi      if it fails, mend the driver; else: pip install --force-reinstall torch"
    if name == "cpu" or (name == "auto" and not gpu.exists()):
        return Finding("device", f"{name}: the CPU")
    try:
        found = pkgutil.resolve_name(DEVICE_NAMED)(name)
    except RelexError as fault:
        return broken("device", str(fault), f"export RELEX_DEVICE=auto      or: {driver}")
    if found.type == "cpu" and gpu.exists():
        return warning("device", f"there is a GPU ({gpu}), but torch cannot use it: the CPU scores", driver)
    return Finding("device", f"{name}: {found}")


def embedded(folder: Path) -> tuple[Finding, Description | None]:
    """The embedded Postgres as it lies there, and its description where it may be used to look further."""
    try:
        found = describe(folder)
    except (RelexError, OSError) as fault:
        return broken("database", str(fault), "export RELEX_DATABASE_URL=postgresql://USER@HOST/NAME"), None
    text = f"embedded {found.version} in {found.data}"
    if found.running and locks.is_free(found.users_lock):
        left = f"{text} was left running: whoever used it was killed"
        return warning("database", left, "relex jobs      the last command to end stops it"), None
    if found.crashed:
        return warning("database", f"{text} was killed and has not recovered yet", "relex jobs"), None
    if not found.created:
        return Finding("database", f"{text}, made at first use"), None
    return Finding("database", f"{text}, {'running' if found.running else 'starts when needed'}"), found
