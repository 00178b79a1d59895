"""Where a backbone's files are: a local folder as it is, or a name of the Hugging Face hub, fetched once.

transformers by itself tries an unreachable hub for twenty seconds a file; this asks once and says one clear line.
"""

from pathlib import Path

from httpx2 import HTTPError
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

from relex.errors import InvalidConfig, ModelNotFound, ServiceUnreachable

SMALL_FILES = ["*.json", "*.txt", "*.model"]
ETAG_SECONDS = 5
"""How long the hub may take for its first answer."""


def backbone_folder(name_or_path: str) -> Path:
    """The folder with the backbone's configuration, weights and tokenizer.

    Weights are read as safetensors alone: `pytorch_model.bin`, which older models have, is a pickle, and is not even
    fetched.

    Raises:
        ModelNotFound: neither a folder nor a model of the hub.
        InvalidConfig: its weights are no safetensors.
        ServiceUnreachable: the hub does not answer and the backbone was not fetched before.
    """
    folder = Path(name_or_path)
    if not folder.is_dir():
        folder = _fetch(name_or_path)
    if not any(folder.glob("*.safetensors")):
        raise InvalidConfig(
            f"backbone {name_or_path}: no weights in safetensors, and relex opens no pickle (pytorch_model.bin); "
            "convert it on a machine that you trust, as docs/security.md shows, and give that folder"
        )
    return folder


def _fetch(name: str) -> Path:
    try:
        return Path(snapshot_download(name, allow_patterns=[*SMALL_FILES, "*.safetensors"], etag_timeout=ETAG_SECONDS))
    except (HFValidationError, RepositoryNotFoundError) as fault:
        raise ModelNotFound(
            f"backbone {name}: neither a folder here nor a public model of the hub; check the name"
        ) from fault
    except (OSError, HTTPError) as fault:
        raise ServiceUnreachable(
            f"backbone {name}: the model hub does not answer and no copy is here; "
            "try again with a network, or give a local folder"
        ) from fault
