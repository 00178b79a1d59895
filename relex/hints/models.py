"""Hints about models: a refused checkpoint, a backbone that cannot be loaded, a study without a useful trial.

A test reproduces each problem.
"""

LABEL_ORDER = "write the order of the training into both"
"""For a checkpoint whose two tables of labels contradict each other."""

ZERO_SCORE_HINT = "hint: raise train.epochs in the recipe or widen its search space, and tune again"
"""For a study whose best trial scores 0."""


def unknown_backbone(name: str) -> str:
    """Return the message for a name that the hub does not know or hides from this user."""
    return (
        f"backbone {name}: neither a folder here nor a model of the hub that you may read; "
        "check the name, or set HF_TOKEN for a private one"
    )


def gated_backbone(name: str, endpoint: str) -> str:
    """Return the message for a model whose terms a person must accept first."""
    return f"backbone {name}: accept its terms at {endpoint}/{name} and set HF_TOKEN"


def offline_backbone(name: str) -> str:
    """Return the message for a backbone that is not cached while HF_HUB_OFFLINE is set."""
    return f"backbone {name}: not complete in the cache, and HF_HUB_OFFLINE forbids the download; set HF_HUB_OFFLINE=0"


def unreachable_hub(name: str) -> str:
    """Return the message for a hub that does not answer, which is a transient error."""
    return (
        f"backbone {name}: the model hub does not answer and no copy is here; "
        "try again with a network, or give a local folder"
    )


def unwritable_cache(name: str, error: OSError, folder: str) -> str:
    """Return the message for a hub cache that cannot be written: a full disk, or somebody else's folder."""
    return f"backbone {name}: cannot be kept in {folder}: {error.strerror}; set HF_HOME to another folder"


def unreadable_pickle(name: str, file: str, reason: str) -> str:
    """Return the message for pickled weights that are damaged or hold more than tensors."""
    return (
        f"backbone {name}: torch's restricted loader refuses {file}: {reason}; "
        "choose another backbone, or a folder with model.safetensors"
    )
