"""Environment variables of the libraries that relex uses: which ones are cleared, set or kept.

A variable that is meant for another program must not send rows to another server, run code of the current folder or
change a number. `isolate` runs at the start of each entry point, before a library reads its variables, and every
process that relex starts inherits the result. docs/operations.md contains the same table.
"""

import os
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path


class Decision(StrEnum):
    """The treatment of a variable."""

    CLEARED = "cleared"
    SET = "set"
    TRIMMED = "trimmed"
    """Empty entries of a search path are removed, because each stands for the current folder."""
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Rule:
    """The treatment of the variables of one library that match one of the patterns."""

    library: str
    patterns: tuple[str, ...]
    decision: Decision
    reason: str
    value: str = ""
    """Value of a variable that is set."""

    def covers(self, name: str) -> bool:
        """Return whether the rule applies to the variable of this name."""
        return any(fnmatchcase(name, pattern) for pattern in self.patterns)


def _rule(library: str, names: str, decision: Decision, reason: str, value: str = "") -> Rule:
    return Rule(library, tuple(names.split()), decision, reason, value)


RULES = (
    _rule(
        "libpq",
        "PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGSERVICE PGSERVICEFILE PGSYSCONFDIR PGTARGETSESSIONATTRS "
        "PGLOADBALANCEHOSTS PGCONNECT_TIMEOUT PGMINPROTOCOLVERSION PGMAXPROTOCOLVERSION PGAPPNAME",
        Decision.CLEARED,
        "`RELEX_DATABASE_URL` alone says which server, database and role are used",
    ),
    _rule(
        "libpq",
        "PGOPTIONS PGCLIENTENCODING PGDATESTYLE PGTZ PGGEQO",
        Decision.CLEARED,
        "they change how values are written; relex sets what it needs in each session",
    ),
    _rule(
        "libpq",
        "PGPASSWORD PGPASSFILE PGSSL* PGGSS* PGKRBSRVNAME PGREQUIREPEER PGREQUIREAUTH PGCHANNELBINDING",
        Decision.KEPT,
        "passwords and TLS of `RELEX_DATABASE_URL`, where its options do not name them; the embedded Postgres "
        "ignores them",
    ),
    _rule("psycopg", "PSYCOPG_*", Decision.CLEARED, "relex is tested with the binary that comes with it"),
    _rule(
        "Celery, kombu, billiard",
        "CELERY_* celery_dummy_proxy C_BENCH* C_FAKEFORK C_FORCE_ROOT C_IMPDEBUG C_REMDEBUG C_STRICT_APP C_WARN_APP "
        "C_WNOCONF KOMBU_* FORKED_BY_MULTIPROCESSING MULTIPROCESSING_FORKING_DISABLE MP_LOG MP_MAIN_FILE _MP_FORK_* "
        "AUTOSCALE_KEEPALIVE DISABLE_TRACEBACKS EVENTLET_NOBLOCK NOSETPS PICKLE_PROTOCOL REMAP_SIGTERM TIMER_DEBUG "
        "USE_FAST_LOCALS WORKER_LOGLEVEL DJANGO_SETTINGS_MODULE DJANGO_PROJECT_DIR",
        Decision.CLEARED,
        "`RELEX_BROKER_URL` alone names the broker; the others load modules or change how a worker ends",
    ),
    _rule(
        "torch.distributed",
        "WORLD_SIZE RANK LOCAL_RANK LOCAL_WORLD_SIZE NODE_RANK GROUP_RANK GROUP_WORLD_SIZE ROLE_RANK ROLE_WORLD_SIZE "
        "ROLE_NAME MASTER_ADDR MASTER_PORT TORCHELASTIC_* PET_* PMI_* MPI_LOCAL* MV2_COMM_* OMPI_COMM_*",
        Decision.CLEARED,
        "a training would wait for processes that nobody starts; relex sets them for its own processes",
    ),
    _rule(
        "torch.distributed",
        "NCCL_* GLOO_* TORCH_NCCL_* TORCH_DISTRIBUTED_DEBUG",
        Decision.KEPT,
        "the network between the GPUs of one training",
    ),
    _rule(
        "torch",
        "TORCH_FORCE_WEIGHTS_ONLY_LOAD TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD TORCH_ALLOW_TF32_CUBLAS_OVERRIDE "
        "ONEDNN_DEFAULT_FPMATH_MODE DNNL_DEFAULT_FPMATH_MODE TORCH_COMPILE_* TORCHDYNAMO_* TORCHINDUCTOR_*",
        Decision.CLEARED,
        "they open pickles, or compute float32 at a lower precision than the recipe says",
    ),
    _rule(
        "torch, CUDA",
        "CUDA_* PYTORCH_* NVIDIA_* CUBLAS_* ATEN_CPU_CAPABILITY ONEDNN_MAX_CPU_ISA DNNL_MAX_CPU_ISA",
        Decision.KEPT,
        "which GPUs are seen, how memory is allocated, which kernels run",
    ),
    _rule(
        "accelerate",
        "ACCELERATE_* FSDP_* PARALLELISM_CONFIG_* MEGATRON_LM_* DEEPSPEED_* FORK_LAUNCHED NPROC XLA_* USE_TORCH_XLA "
        "PJRT_DEVICE PT_HPU_LAZY_MODE TPU_NAME SMDATAPARALLEL_* SM_FRAMEWORK_* SM_HP_MP_PARAMETERS",
        Decision.CLEARED,
        "the recipe and `RELEX_DEVICE` alone say how a model is trained, and where",
    ),
    _rule(
        "transformers",
        "USE_HUB_KERNELS",
        Decision.SET,
        "no code is fetched from the hub",
        "0",
    ),
    _rule(
        "transformers",
        "TRUST_REMOTE_CODE TRANSFORMERS_DISABLE_TORCH_CHECK TRANSFORMERS_SDPA_FORCE_GQA TENSORBOARD_LOGGING_DIR "
        "HF_MODULES_CACHE HUGGINGFACE_CO_STAGING",
        Decision.CLEARED,
        "they run code, write elsewhere, or ask another hub",
    ),
    _rule(
        "huggingface_hub, transformers",
        "HF_* HUGGINGFACE_* HUGGING_FACE_* TRANSFORMERS_* XDG_CACHE_HOME DISABLE_TELEMETRY DO_NOT_TRACK *_PROXY "
        "*_proxy SSL_CERT_*",
        Decision.KEPT,
        "your token, your mirror, your cache of backbones, offline or not",
    ),
    _rule(
        "transformers, huggingface_hub",
        "KUBEFLOW_* WANDB_* MLFLOW_* COMET_* CLEARML_* SWANLAB_* DISABLE_MLFLOW_* DISABLE_KUBEFLOW_* BRANCH RAY_SCOPE",
        Decision.CLEARED,
        "no training is reported to a tracker or server",
    ),
    _rule(
        "transformers, huggingface_hub",
        "NPU_* NETWORK_DEBUG_REPORT* HCCL_* ASCEND_* FLASH_ATTENTION_DETERMINISTIC DATABRICKS_* AWS_* SM_NUM_* ECS_* "
        "TRAINING_JOB_ARN OAUTH_* OPENID_PROVIDER_URL ACTIONS_ID_TOKEN_* GITHUB_ACTIONS CLAUDE_CONFIG_DIR "
        "VERTEX_PRODUCT EAGER_IMPORT",
        Decision.KEPT,
        "other devices and services, which relex does not use",
    ),
    _rule(
        "OpenMP, MKL, tokenizers",
        "OMP_* MKL_* OPENBLAS_* KMP_* GOMP_* TOKENIZERS_* RAYON_*",
        Decision.KEPT,
        "threads; `OMP_NUM_THREADS` of background processes is a share of the cores",
    ),
    _rule(
        "Optuna, alembic, redis-py, SQLAlchemy, tensorboardX",
        "OPTUNA_STORAGE ALEMBIC_CONFIG CRC32C_SW_MODE S3_ENDPOINT",
        Decision.KEPT,
        "read by their own commands only; relex passes everything by argument",
    ),
    _rule(
        "Python, the dynamic linker",
        "PYTHONPATH LD_LIBRARY_PATH",
        Decision.TRIMMED,
        "an empty entry is the current folder, whose code must not run",
    ),
)
"""The first rule that matches a variable applies."""


def rule_for(name: str) -> Rule | None:
    """Return the rule for the variable of this name; None if no library of relex reads it."""
    return next((rule for rule in RULES if rule.covers(name)), None)


def isolate(environ: MutableMapping[str, str] = os.environ) -> tuple[str, ...]:
    """Apply the rules to an environment and return the names of the variables that relex ignores.

    An entry point calls this before it imports a library that reads its variables when it is imported.
    """
    ignored = []
    for name in sorted(environ):
        rule = rule_for(name)
        if rule and rule.decision is Decision.CLEARED:
            del environ[name]
            ignored.append(name)
        elif rule and rule.decision is Decision.TRIMMED and "" in environ[name].split(os.pathsep):
            _trim(environ, name)
    for rule in RULES:
        if rule.decision is Decision.SET:
            environ.update(dict.fromkeys(rule.patterns, rule.value))
    return tuple(ignored)


def _trim(environ: MutableMapping[str, str], name: str) -> None:
    """Remove the empty entries of a search path, and the current folder that Python put in their place."""
    entries = [entry for entry in environ.pop(name).split(os.pathsep) if entry]
    if entries:
        environ[name] = os.pathsep.join(entries)
    here = str(Path.cwd())
    if environ is os.environ and name == "PYTHONPATH" and here not in entries:
        sys.path[:] = [entry for entry in sys.path if entry != here]
