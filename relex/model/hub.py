"""The files of a backbone: a local folder, or a name on the Hugging Face hub, which is downloaded once.

Weights come from the first of these that exists: the safetensors of the main revision, the hub's own conversion of it,
and its pickle, which `model.pickled` converts to safetensors once. transformers alone would retry an unreachable hub
for twenty seconds per file; this module tries once and raises one clear error.
"""

import errno
import logging
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from httpx2 import HTTPError
from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    XetDownloadError,
)
from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]
from tqdm.std import tqdm

from relex.errors import InvalidConfig, ModelNotFound, RelexError, ServiceUnreachable
from relex.hints import models as hints
from relex.model import pickled

logger = logging.getLogger(__name__)

SMALL_FILES = ["*.json", "*.txt", "*.model"]
SAFETENSORS = ["*.safetensors", "*.safetensors.index.json"]
PICKLES = ["pytorch_model.bin", "pytorch_model-*.bin"]
PICKLE = re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin")
ETAG_SECONDS = 5
"""Timeout for the first response of the hub."""
LOG_SECONDS = 30.0
"""Time between two log lines about the progress of a download."""
CONVERTER = "SFconvertbot"
"""The hub's own account, which proposes safetensors for repositories that only have pickles."""
UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR})
ACCESS_DENIED = frozenset({401, 403})
TRANSIENT = frozenset({408, 425, 429})
"""HTTP statuses below 500 after which the same request may succeed."""

Progress = Callable[[int, int], None]
"""Called with the downloaded and the total bytes; an exception that it raises stops the download."""


def backbone_folder(name_or_path: str, progress: Progress | None = None) -> Path:
    """Return the folder of a backbone's configuration and tokenizer; download it if needed.

    Raises:
        ModelNotFound: there is no such folder, and no such readable model on the hub.
        ServiceUnreachable: the hub does not respond, and there is no local copy.
        RelexError: the files cannot be stored on this machine.
    """
    folder = Path(name_or_path)
    return folder if folder.is_dir() else _fetch(name_or_path, SMALL_FILES, progress)


def weights_folder(name_or_path: str, progress: Progress | None = None) -> Path:
    """Return the folder of a backbone's safetensors; download or convert them if needed.

    Raises:
        ModelNotFound, ServiceUnreachable, RelexError: as for `backbone_folder`.
        InvalidConfig: there are no weights, or their pickle contains more than tensors.
    """
    if Path(name_or_path).is_dir():
        return _local_weights(name_or_path)
    folder = _fetch(name_or_path, [*SMALL_FILES, *SAFETENSORS], progress)
    if _has_weights(folder):
        return folder
    commit = folder.name
    converted = _assets(name_or_path) / commit
    if _has_weights(converted):
        return converted
    if conversion := _conversion_of(name_or_path, commit):
        logger.info("%s: weights in safetensors from the hub's own conversion %s", name_or_path, conversion)
        return _keep_conversion(_fetch(name_or_path, SAFETENSORS, progress, conversion), converted)
    folder = _fetch(name_or_path, PICKLES, progress, commit)
    return pickled.convert(name_or_path, _pickles(name_or_path, folder), converted)


def _local_weights(name: str) -> Path:
    folder = Path(name)
    if _has_weights(folder):
        return folder
    sources = _pickles(name, folder)
    return pickled.convert(name, sources, _assets("local") / pickled.digest(sources))


def _has_weights(folder: Path) -> bool:
    return any(path.is_file() for path in folder.glob("*.safetensors"))


def _pickles(name: str, folder: Path) -> list[Path]:
    """Return the pickled weights in a folder; a single file takes precedence over several."""
    paths = sorted(path for path in folder.glob("pytorch_model*.bin") if PICKLE.fullmatch(path.name))
    if not paths:
        raise InvalidConfig(f"backbone {name}: no weights, neither in safetensors nor as {PICKLES[0]}; choose another")
    return [path for path in paths if path.name == PICKLES[0]] or paths


def _assets(name: str) -> Path:
    """Return the folder of converted weights, beside the hub's own cache; create it if needed."""
    folder = Path(constants.HF_ASSETS_CACHE).expanduser() / "relex" / "backbones" / name.replace("/", "--")
    with _translated_errors(name):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _conversion_of(name: str, commit: str) -> str | None:
    """Find the commit in which the hub's own account converted the weights of `commit`.

    Anyone may propose a commit with other weights. Therefore only commits of the converter are used, and only those
    whose parent is `commit`.
    """
    api = HfApi()
    try:
        for pull in api.get_repo_discussions(name, author=CONVERTER, discussion_type="pull_request"):
            if pull.author != CONVERTER or not pull.git_reference or pull.status == "closed":
                continue
            commits = [each.commit_id for each in api.list_repo_commits(name, revision=pull.git_reference)]
            if commits[1:2] == [commit]:
                return commits[0]
    except (HTTPError, OSError, KeyError, TypeError, ValueError) as error:  # a mirror may not support this
        logger.debug("%s: no conversion available: %s", name, error)
    return None


def _keep_conversion(fetched: Path, converted: Path) -> Path:
    """Store the conversion of a commit, so that it is found without another request to the hub.

    The folder of links appears whole; several processes may do this at once.
    """
    if not _has_weights(fetched):
        return fetched
    with WeakFileLock(converted.with_name(f"{converted.name}.lock")):
        if not _has_weights(converted):
            staging = converted.with_name(f"{converted.name}.unfinished")
            shutil.rmtree(staging, ignore_errors=True)  # from a killed process
            staging.mkdir()
            for path in fetched.iterdir():
                (staging / path.name).symlink_to(path.resolve())
            shutil.rmtree(converted, ignore_errors=True)  # links into a cache that was cleared or moved
            staging.rename(converted)
    return converted


def _fetch(name: str, patterns: Sequence[str], progress: Progress | None, revision: str | None = None) -> Path:
    download = _Download(name, progress)
    with _translated_errors(name):
        folder = snapshot_download(
            name,
            revision=revision,
            allow_patterns=list(patterns),
            etag_timeout=ETAG_SECONDS,
            tqdm_class=download.bar_class(),
        )
    download.end()
    return Path(folder)


@contextmanager
def _translated_errors(name: str) -> Iterator[None]:
    """Translate errors of the hub's library; transient ones become `ServiceUnreachable`."""
    try:
        yield
    except RelexError:
        raise
    except GatedRepoError as error:
        raise ModelNotFound(hints.gated_backbone(name, _hub())) from error
    except (HFValidationError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise ModelNotFound(hints.unknown_backbone(name)) from error
    except (OSError, HTTPError, EntryNotFoundError, XetDownloadError) as error:
        raise _translate(name, error) from error


def _translate(name: str, error: BaseException) -> RelexError:
    if isinstance(error, LocalEntryNotFoundError) and error.__cause__:
        error = error.__cause__  # the reason why nothing was downloaded
    if constants.is_offline_mode() or isinstance(error, OfflineModeIsEnabled):
        return ModelNotFound(hints.offline_backbone(name))
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status in ACCESS_DENIED:
        return ModelNotFound(hints.unknown_backbone(name))
    if status is not None and status < 500 and status not in TRANSIENT:  # noqa: PLR2004 - HTTP's server errors start at 500
        return InvalidConfig(f"backbone {name}: the model hub refuses it (HTTP {status}); choose another")
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        return RelexError(hints.unwritable_cache(name, error, constants.HF_HOME))
    return ServiceUnreachable(hints.unreachable_hub(name))


def _hub() -> str:
    """Return the address of the hub without a password in it."""
    parts = urlsplit(constants.ENDPOINT)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class _Download:
    """The progress of one download, for the log and the caller."""

    def __init__(self, name: str, progress: Progress | None) -> None:
        self._name = name
        self._progress = progress
        self._started = self._logged = time.monotonic()
        self._fetched = 0
        self.lock = Lock()

    def bar_class(self) -> type[tqdm]:
        """Return a class of invisible progress bars, in which the hub's library counts the bytes."""
        download = self

        class Bar(tqdm):  # type: ignore[misc]
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options, disable=True)
                self._counts = str(options.get("desc", "")).startswith("Reconstructing")

            def update(self, n: float | None = 1) -> None:
                with download.lock:  # several files are downloaded at once
                    self.n += n or 0
                    if self._counts:
                        download.record_progress(int(self.n), int(self.total or 0))

        return Bar

    def record_progress(self, fetched: int, total: int) -> None:
        """Report the progress of the download; called by the download threads."""
        if not self._fetched:
            logger.info("fetching the backbone %s from %s", self._name, _hub())
        self._fetched = fetched
        if time.monotonic() - self._logged >= LOG_SECONDS:
            self._logged = time.monotonic()
            logger.info("%s: %.1f of %.1f MB", self._name, fetched / 1e6, total / 1e6)
        if self._progress:
            self._progress(fetched, total)

    def end(self) -> None:
        """Log the size and the duration of the download, if there was one."""
        if self._fetched:
            seconds = time.monotonic() - self._started
            logger.info("%s: fetched %.1f MB in %.0f s", self._name, self._fetched / 1e6, seconds)
