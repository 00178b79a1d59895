"""Where a backbone's files are: a local folder as it is, or a name of the Hugging Face hub, fetched once.

transformers by itself tries an unreachable hub for twenty seconds a file; this asks once and says one clear line.
"""

from pathlib import Path

from httpx2 import HTTPError
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

from relex.errors import ModelNotFound, ServiceUnreachable

SMALL_FILES = ["*.json", "*.txt", "*.model"]
ETAG_SECONDS = 5
"""How long the hub may take for its first answer."""


def backbone_folder(name_or_path: str) -> Path:
    """The folder with the backbone's configuration, weights and tokenizer.

    Weights come as safetensors; only where the hub has none (older Korean models) as `pytorch_model.bin`, which
    transformers reads with torch's restricted unpickler. A Checkpoint of relex never holds such a file.

    Raises:
        ModelNotFound: neither a folder nor a model of the hub.
        ServiceUnreachable: the hub does not answer and the backbone was not fetched before.
    """
    if Path(name_or_path).is_dir():
        return Path(name_or_path)
    try:
        folder = _fetch(name_or_path, [*SMALL_FILES, "*.safetensors"])
        if any(folder.glob("*.safetensors")):
            return folder
        return _fetch(name_or_path, [*SMALL_FILES, "pytorch_model*.bin"])
    except (HFValidationError, RepositoryNotFoundError) as fault:
        raise ModelNotFound(
            f"backbone {name_or_path}: neither a folder here nor a public model of the hub; check the name"
        ) from fault
    except (OSError, HTTPError) as fault:
        raise ServiceUnreachable(
            f"backbone {name_or_path}: the model hub does not answer and no copy is here; "
            "try again with a network, or give a local folder"
        ) from fault


def _fetch(name: str, patterns: list[str]) -> Path:
    return Path(snapshot_download(name, allow_patterns=patterns, etag_timeout=ETAG_SECONDS))
