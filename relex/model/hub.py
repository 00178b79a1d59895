"""Where a backbone's files are: a local folder as it is, or a name of the Hugging Face hub, fetched once.

Weights come, first wins, from the safetensors of the main revision, from the hub's own conversion of it, or from its
pickle, which `model.pickled` turns into safetensors once. transformers by itself would try an unreachable hub for
twenty seconds a file; this asks once and says one clear line.
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
from relex.hints import hub as hints
from relex.model import pickled

logger = logging.getLogger(__name__)

SMALL_FILES = ["*.json", "*.txt", "*.model"]
SAFETENSORS = ["*.safetensors", "*.safetensors.index.json"]
PICKLES = ["pytorch_model.bin", "pytorch_model-*.bin"]
PICKLE = re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin")
ETAG_SECONDS = 5
"""How long the hub may take for its first answer."""
LOG_SECONDS = 30.0
"""How often the log says how much is fetched."""
CONVERTER = "SFconvertbot"
"""The hub's own account that proposes safetensors for repositories which have pickles alone."""
UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR})
NOT_FOR_US = frozenset({401, 403})
PASSING = frozenset({408, 425, 429})
"""HTTP statuses below 500 after which the same request may succeed."""

Progress = Callable[[int, int], None]
"""Gets the bytes that are fetched, and the bytes in all; an error that it raises ends the download."""


def backbone_folder(name_or_path: str, progress: Progress | None = None) -> Path:
    """Find the folder with a backbone's configuration and tokenizer, and fetch it if need be.

    Raises:
        ModelNotFound: neither a folder nor a model of the hub that may be read.
        ServiceUnreachable: the hub does not answer and the backbone was not fetched before.
        RelexError: the files cannot be kept on this machine.
    """
    folder = Path(name_or_path)
    return folder if folder.is_dir() else _fetch(name_or_path, SMALL_FILES, progress)


def weights_folder(name_or_path: str, progress: Progress | None = None) -> Path:
    """Find a folder with a backbone's weights in safetensors, and fetch or convert them if need be.

    Raises:
        ModelNotFound, ServiceUnreachable, RelexError: as `backbone_folder`.
        InvalidConfig: there are no weights, or their pickle asks for more than tensors.
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
    """The pickled weights in a folder; those in one file come before the same in several."""
    found = sorted(path for path in folder.glob("pytorch_model*.bin") if PICKLE.fullmatch(path.name))
    if not found:
        raise InvalidConfig(f"backbone {name}: no weights, neither in safetensors nor as {PICKLES[0]}; choose another")
    return [path for path in found if path.name == PICKLES[0]] or found


def _assets(name: str) -> Path:
    """Where weights are kept that relex converted, beside the hub's own cache."""
    folder = Path(constants.HF_ASSETS_CACHE).expanduser() / "relex" / "backbones" / name.replace("/", "--")
    with _explained(name):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _conversion_of(name: str, commit: str) -> str | None:
    """Find the commit in which the hub's own account put the weights of `commit` into safetensors, if there is one.

    Everybody may propose a commit, with other weights in it. So only the converter's own count, and only those that
    stand right on the commit that was asked for.
    """
    api = HfApi()
    try:
        for pull in api.get_repo_discussions(name, author=CONVERTER, discussion_type="pull_request"):
            if pull.author != CONVERTER or not pull.git_reference or pull.status == "closed":
                continue
            commits = [each.commit_id for each in api.list_repo_commits(name, revision=pull.git_reference)]
            if commits[1:2] == [commit]:
                return commits[0]
    except (HTTPError, OSError, KeyError, TypeError, ValueError) as error:  # a mirror may not know this at all
        logger.debug("%s: no conversion is known: %s", name, error)
    return None


def _keep_conversion(fetched: Path, converted: Path) -> Path:
    """Remember the conversion of a commit, so that it is found without asking the hub again.

    The folder of links appears whole; several processes may do this at once.
    """
    if not _has_weights(fetched):
        return fetched
    with WeakFileLock(converted.with_name(f"{converted.name}.lock")):
        if not _has_weights(converted):
            unfinished = converted.with_name(f"{converted.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
            unfinished.mkdir()
            for path in fetched.iterdir():
                (unfinished / path.name).symlink_to(path.resolve())
            shutil.rmtree(converted, ignore_errors=True)  # links into a cache that was emptied or moved
            unfinished.rename(converted)
    return converted


def _fetch(name: str, patterns: Sequence[str], progress: Progress | None, revision: str | None = None) -> Path:
    watch = _Watch(name, progress)
    with _explained(name):
        folder = snapshot_download(
            name,
            revision=revision,
            allow_patterns=list(patterns),
            etag_timeout=ETAG_SECONDS,
            tqdm_class=watch.bar_class(),
        )
    watch.end()
    return Path(folder)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn the errors of the hub's library into ours: what passes by itself is a `ServiceUnreachable`."""
    try:
        yield
    except RelexError:
        raise
    except GatedRepoError as error:
        raise ModelNotFound(hints.gated_backbone(name, _hub())) from error
    except (HFValidationError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise ModelNotFound(hints.unknown_backbone(name)) from error
    except (OSError, HTTPError, EntryNotFoundError, XetDownloadError) as error:
        raise _explanation(name, error) from error


def _explanation(name: str, error: BaseException) -> RelexError:
    if isinstance(error, LocalEntryNotFoundError) and error.__cause__:
        error = error.__cause__  # why no copy was fetched
    if constants.is_offline_mode() or isinstance(error, OfflineModeIsEnabled):
        return ModelNotFound(hints.offline_backbone(name))
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status in NOT_FOR_US:
        return ModelNotFound(hints.unknown_backbone(name))
    if status is not None and status < 500 and status not in PASSING:  # noqa: PLR2004 - HTTP's server errors
        return InvalidConfig(f"backbone {name}: the model hub refuses it (HTTP {status}); choose another")
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        return RelexError(hints.unwritable_cache(name, error, constants.HF_HOME))
    return ServiceUnreachable(hints.unreachable_hub(name))


def _hub() -> str:
    """The hub's address without a password that may stand in it."""
    parts = urlsplit(constants.ENDPOINT)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class _Watch:
    """Follows one download for the log and for the caller."""

    def __init__(self, name: str, progress: Progress | None) -> None:
        self._name = name
        self._progress = progress
        self._began = self._logged = time.monotonic()
        self._fetched = 0
        self.lock = Lock()

    def bar_class(self) -> type[tqdm]:
        """A class of bars that draws nothing: the hub's library counts bytes in what it takes for bars."""
        watch = self

        class Bar(tqdm):  # type: ignore[misc]
            def __init__(self, *args: Any, **options: Any) -> None:
                super().__init__(*args, **options, disable=True)
                self._counts = str(options.get("desc", "")).startswith("Reconstructing")

            def update(self, n: float | None = 1) -> None:
                with watch.lock:  # several files are fetched at once
                    self.n += n or 0
                    if self._counts:
                        watch.moved(int(self.n), int(self.total or 0))

        return Bar

    def moved(self, fetched: int, total: int) -> None:
        """Report the progress of the download; called by the threads that fetch."""
        if not self._fetched:
            logger.info("fetching the backbone %s from %s", self._name, _hub())
        self._fetched = fetched
        if time.monotonic() - self._logged >= LOG_SECONDS:
            self._logged = time.monotonic()
            logger.info("%s: %.1f of %.1f MB", self._name, fetched / 1e6, total / 1e6)
        if self._progress:
            self._progress(fetched, total)

    def end(self) -> None:
        """Say what was fetched, if anything was."""
        if self._fetched:
            seconds = time.monotonic() - self._began
            logger.info("%s: fetched %.1f MB in %.0f s", self._name, self._fetched / 1e6, seconds)
