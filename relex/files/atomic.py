"""Atomic writes: a file appears complete or not at all, and never replaces a file that belongs to the user.

The only files that are replaced are those whose digest shows that nobody has changed them since relex wrote them.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryFile
from types import MappingProxyType
from typing import BinaryIO
from uuid import uuid4

from relex.errors import RelexError
from relex.hints import tables as hints

NO_FILES: Mapping[str, str] = MappingProxyType({})
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EISDIR)
"""Disk full, quota exceeded, file too large, target is a folder: errors that the content cannot cause."""


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a staging file in the same folder that replaces `path` only if the block succeeds.

    For files of relex's own, and for those in the folder of :func:`new_files`.

    Raises:
        RelexError: the folder cannot be written to or the disk is full.
    """
    staging, file = _open_staging(path)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        staging.replace(path)
    except OSError as exc:
        if exc.errno in UNWRITABLE:
            raise _unwritable(path, exc) from exc
        raise
    finally:
        staging.unlink(missing_ok=True)


def write_json(path: Path, content: object) -> Path:
    """Write plain data as readable JSON, and return the path.

    Raises:
        RelexError: the folder cannot be written to or the disk is full.
    """
    with atomic_write(path) as file:
        file.write((json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode())
    return path


@contextmanager
def new_files(folder: Path, replaceable: Mapping[str, str] = NO_FILES, last: str = "") -> Iterator[Path]:
    """Create a staging folder whose files move to `folder` together if the block succeeds.

    Args:
        folder: created if it does not exist.
        replaceable: SHA-256 by name of files that relex wrote earlier; they are replaced if unchanged.
        last: the name of the file that is moved last.

    Raises:
        RelexError: a file of the same name has other content, or nothing can be written.
    """
    staging = folder / _hidden_name()
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging.mkdir()
    except OSError as exc:
        raise _unwritable(folder, exc) from exc
    try:
        yield staging
        _publish(staging, folder, replaceable, last)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _publish(staging: Path, folder: Path, replaceable: Mapping[str, str], last: str) -> None:
    new = []
    for staged in sorted(staging.iterdir(), key=lambda staged: (staged.name == last, staged.name)):
        target = folder / staged.name
        digest = digest_of(target)
        if os.path.lexists(target):
            if digest == digest_of(staged):
                continue  # the same content is in place already
            if target.is_symlink() or digest != replaceable.get(staged.name, ""):
                raise RelexError(f"{target} already exists with other content\n{hints.MOVE_IT_AWAY}")
        new.append(staged)
    # The file that is moved last marks the folder as complete, so an outdated one is removed first.
    outdated = {name for name in replaceable if not (staging / name).exists()} | {
        staged.name for staged in new if staged.name == last
    }
    for name in outdated:
        if digest_of(folder / name) == replaceable.get(name, ""):
            (folder / name).unlink()
    for staged in new:
        _move(staged, folder / staged.name, replaceable)


def _move(staged: Path, target: Path, replaceable: Mapping[str, str]) -> None:
    """Move a staged file into place; a file of another program that appears meanwhile is not replaced."""
    try:
        if staged.name in replaceable:
            staged.replace(target)
        else:
            _rename(staged, target)
    except FileExistsError as exc:
        raise RelexError(f"{target} already exists with other content\n{hints.MOVE_IT_AWAY}") from exc
    except OSError as exc:
        raise _unwritable(target, exc) from exc


@contextmanager
def staging_file(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Open a hidden file in the folder of `path`, and remove it at the end unless it was renamed."""
    staging, file = _open_staging(path)
    try:
        yield staging, file
    finally:
        with suppress(OSError):  # a failed write has been reported, or the file is discarded
            file.close()
        staging.unlink(missing_ok=True)


def publish_beside(staging: Path, path: Path) -> Path:
    """Rename a staging file to `path` or the next free name (`june-2.csv`), and return the file.

    If a file of that name has the same content already, it is returned instead.
    """
    for number in count(1):
        target = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        try:
            _rename(staging, target)
        except FileExistsError:
            if digest_of(target) == digest_of(staging):
                return target
        else:
            return target
    raise AssertionError  # count() has no end


def _rename(staging: Path, target: Path) -> None:
    """Rename a file without ever replacing another one.

    Raises:
        FileExistsError: the name is taken.
    """
    try:
        os.link(staging, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        target.touch(exist_ok=False)
        staging.replace(target)
    else:
        staging.unlink()


def digest_of(path: Path) -> str | None:
    """Return the SHA-256 of a file in hexadecimal digits, or None if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def require_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written to, before the work whose results go there.

    A folder that does not exist will be created, so its nearest existing parent is tried. Nothing is left behind.

    Raises:
        RelexError: with the reason that the system gives.
    """
    try:
        with TemporaryFile(dir=_nearest(folder.absolute())):
            return
    except OSError as error:
        raise RelexError(f"{folder}: cannot be written to: {error.strerror}") from error


def _nearest(folder: Path) -> Path:
    """Return the folder or its nearest existing parent; a dangling link exists, and will be refused."""
    try:
        os.lstat(folder)
    except FileNotFoundError:
        return _nearest(folder.parent)
    return folder


def _open_staging(path: Path) -> tuple[Path, BinaryIO]:
    """Open a new hidden file in the folder of `path`."""
    staging = path.with_name(_hidden_name())
    try:
        return staging, staging.open("xb")
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def _hidden_name() -> str:
    return f".relex-{uuid4().hex}.tmp"


def _unwritable(path: Path, exc: OSError) -> RelexError:
    return RelexError(f"{path}: cannot be written: {exc.strerror}")
