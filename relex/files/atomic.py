"""How any file is written for a user: whole or not at all, and never in the place of a file that somebody has.

The only files that give way are those that relex vouches for by their digest: nobody changed them since it wrote them.

How flows write plain data: JSON that a person can read, whole or not at all.
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

NOTHING_OWN: Mapping[str, str] = MappingProxyType({})
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EISDIR)
"""Disk full, quota used up, file too large, a folder of that name: never the fault of what is being written."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A draft in the same folder, which takes the place of `path` only when the block ends well.

    For files of relex's own, and for those in the folder of :func:`new_files`.

    Raises:
        RelexError: the folder cannot be written to or the disk is full.
    """
    draft, file = _open_draft(path)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as exc:
        if exc.errno in UNWRITABLE:
            raise _unwritable(path, exc) from exc
        raise
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def new_files(folder: Path, own: Mapping[str, str] = NOTHING_OWN, last: str = "") -> Iterator[Path]:
    """A folder to write files in, which go to `folder` together when the block ends well.

    Args:
        folder: made where there is none.
        own: SHA-256 by name of files that relex wrote there before: where they are unchanged they give way.
        last: the name of the file that goes there last.

    Raises:
        RelexError: another file goes by one of the names and has another content, or nothing can be written.
    """
    drafts = folder / _hidden_name()
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        drafts.mkdir()
    except OSError as exc:
        raise _unwritable(folder, exc) from exc
    try:
        yield drafts
        _publish(drafts, folder, own, last)
    except BaseException:
        shutil.rmtree(drafts, ignore_errors=True)
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        raise
    finally:
        shutil.rmtree(drafts, ignore_errors=True)


@contextmanager
def drafting(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A hidden file in the folder of `path`, removed at the end if it still goes by its hidden name."""
    draft, file = _open_draft(path)
    try:
        yield draft, file
    finally:
        with suppress(OSError):  # what cannot be written at the end has been said, or the draft is thrown away
            file.close()
        draft.unlink(missing_ok=True)


def publish_beside(draft: Path, path: Path) -> Path:
    """Give a draft its name, or the next free one (`june-2.csv`); an equal file that is there will do.

    Returns:
        The file.
    """
    for number in count(1):
        target = path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
        try:
            _name(draft, target)
        except FileExistsError:
            if digest_of(target) == digest_of(draft):
                return target
        else:
            return target
    raise AssertionError  # count() has no end


def _name(draft: Path, target: Path) -> None:
    """Give a draft its name, which nobody else has at any moment.

    Raises:
        FileExistsError: somebody has it.
    """
    try:
        os.link(draft, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        target.touch(exist_ok=False)
        draft.replace(target)
    else:
        draft.unlink()


def digest_of(path: Path) -> str | None:
    """SHA-256 of a file in hexadecimal digits; None where there is no file that can be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _publish(drafts: Path, folder: Path, own: Mapping[str, str], last: str) -> None:
    new = []
    for draft in sorted(drafts.iterdir(), key=lambda draft: (draft.name == last, draft.name)):
        target = folder / draft.name
        there = digest_of(target)
        if os.path.lexists(target):
            if there == digest_of(draft):
                continue  # an equal file will do
            if target.is_symlink() or there != own.get(draft.name, ""):
                raise RelexError(f"{target} is there already with other content\n{hints.MOVE_IT_AWAY}")
        new.append(draft)
    # The one that comes last goes first: with it the folder counts as complete.
    outdated = {name for name in own if not (drafts / name).exists()} | {
        draft.name for draft in new if draft.name == last
    }
    for name in outdated:
        if digest_of(folder / name) == own.get(name, ""):
            (folder / name).unlink()
    for draft in new:
        _move(draft, folder / draft.name, own)


def _move(draft: Path, target: Path, own: Mapping[str, str]) -> None:
    """Put a draft in its place; only what relex vouches for gives way, whatever came there in this moment."""
    try:
        if draft.name in own:
            draft.replace(target)
        else:
            _name(draft, target)
    except FileExistsError as exc:
        raise RelexError(f"{target} is there already with other content\n{hints.MOVE_IT_AWAY}") from exc
    except OSError as exc:
        raise _unwritable(target, exc) from exc


def _open_draft(path: Path) -> tuple[Path, BinaryIO]:
    """Open a new hidden file in the folder of `path`."""
    draft = path.with_name(_hidden_name())
    try:
        return draft, draft.open("xb")
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def _hidden_name() -> str:
    return f".relex-{uuid4().hex}.tmp"


def _unwritable(path: Path, exc: OSError) -> RelexError:
    return RelexError(f"{path}: cannot be written: {exc.strerror}")


def write_json(path: Path, content: object) -> Path:
    """Write plain data and return where.

    Raises:
        RelexError: the folder cannot be written to or the disk is full.
    """
    with replacing(path) as file:
        file.write((json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode())
    return path


def require_writable(folder: Path) -> None:
    """Refuse a folder that files cannot be written to, before the work whose results shall go there.

    A folder that is not there yet will be made; so the nearest one above it is tried. Nothing is left behind.

    Raises:
        RelexError: what the system says against it.
    """
    try:
        with TemporaryFile(dir=_nearest(folder.absolute())):
            return
    except OSError as error:
        raise RelexError(f"{folder}: cannot be written to: {error.strerror}") from error


def _nearest(folder: Path) -> Path:
    """Return the folder itself or the first above it that is there; a link to nowhere is there, and will be refused."""
    try:
        os.lstat(folder)
    except FileNotFoundError:
        return _nearest(folder.parent)
    return folder
