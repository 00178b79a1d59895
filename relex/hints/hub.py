"""What relex advises, in one place: each is run by a test against what provokes it."""


def unknown_backbone(name: str) -> str:
    """A name that the hub does not know, or does not show to this user."""
    return (
        f"backbone {name}: neither a folder here nor a model of the hub that you may read; "
        "check the name, or set HF_TOKEN for a private one"
    )


def gated_backbone(name: str, endpoint: str) -> str:
    """A model of the hub whose terms must be accepted by a person."""
    return f"backbone {name}: accept its terms at {endpoint}/{name} and set HF_TOKEN"


def offline_backbone(name: str) -> str:
    """The hub's library was told not to use the network."""
    return f"backbone {name}: no whole copy is here, and HF_HUB_OFFLINE forbids to fetch one; set HF_HUB_OFFLINE=0"


def unreachable_hub(name: str) -> str:
    """No network, or the hub is down; passes by itself."""
    return (
        f"backbone {name}: the model hub does not answer and no copy is here; "
        "try again with a network, or give a local folder"
    )


def unwritable_cache(name: str, error: OSError, folder: str) -> str:
    """The disk of the hub's cache is full, or the folder belongs to somebody else."""
    return f"backbone {name}: cannot be kept in {folder}: {error.strerror}; set HF_HOME to another folder"


def unreadable_pickle(name: str, file: str, reason: str) -> str:
    """A pickle of weights that is more than weights, or damaged."""
    return (
        f"backbone {name}: torch's restricted loader refuses {file}: {reason}; "
        "choose another backbone, or a folder with model.safetensors"
    )
