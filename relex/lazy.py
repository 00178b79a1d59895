"""Heavy entry points, imported when they are first used: the only place that looks anything up by a string.

Every command imports the flows, and few commands need torch, scikit-learn or Alembic. Each entry point is named here
once, and its loader returns it as the Protocol of its consumer; `tests/house/test_lazy.py` checks that each one fits.
"""

from functools import partial
from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relex.flows.acceptance import MakePromise
    from relex.flows.bench import RunBenchmark
    from relex.flows.calibrate import Calibrator
    from relex.flows.checks.machine import ResolveDevice
    from relex.flows.database import Migrate
    from relex.flows.ensemble import VoteCalibrator
    from relex.flows.evaluate import Evaluator
    from relex.flows.quality import TwoSampleTest
    from relex.flows.score import OpenScorer
    from relex.flows.train import ParityCheck, Trainer, TrainerFactory
    from relex.registry.importing import SmokeTest

BENCHMARK = "relex.benchmark.benchmark:run_benchmark"
CALIBRATOR = "relex.evaluation.calibration:calibrate_predictions"
DEVICE = "relex.model.devices:resolve_device"
EVALUATOR = "relex.evaluation.evaluator"
MIGRATE = "relex.db.migrate:upgrade"
PARITY_CHECK = "relex.registry.parity_check:check_parity"
PROMISE = "relex.evaluation.acceptance:promise"
SCORER = "relex.inference.ensemble:open_scorer"
"""Default of the setting `scorer`."""
SMOKE_TEST = "relex.registry.smoke_test:run_smoke_test"
TWO_SAMPLE_TEST = "relex.evaluation.two_sample:two_sample_auc"
VOTE_CALIBRATOR = "relex.evaluation.calibration:calibrate_vote"
TRAINER = "relex.training.launcher:DistributedLauncher"


def load_benchmark() -> "RunBenchmark":
    """Import the benchmark, and torch with it."""
    benchmark: RunBenchmark = resolve_name(BENCHMARK)
    return benchmark


def load_calibrator() -> "Calibrator":
    """Import the fitting of calibrations, and numpy, scipy and scikit-learn with it."""
    calibrator: Calibrator = resolve_name(CALIBRATOR)
    return calibrator


def load_device_resolver() -> "ResolveDevice":
    """Import torch to ask for a device."""
    resolve: ResolveDevice = resolve_name(DEVICE)
    return resolve


def load_evaluator() -> "Evaluator":
    """Import the evaluation of predictions, and numpy, scipy and scikit-learn with it."""
    evaluator: Evaluator = resolve_name(EVALUATOR)
    return evaluator


def load_migration() -> "Migrate":
    """Import Alembic: it takes a third of the time in which `relex status` starts, and is needed once."""
    migrate: Migrate = resolve_name(MIGRATE)
    return migrate


def load_parity_check(device: str) -> "ParityCheck":
    """Import the bf16 parity check on a device (RELEX_DEVICE), and torch with it."""
    return partial(resolve_name(PARITY_CHECK), device=device)


def load_promise() -> "MakePromise":
    """Import the choice of a threshold for a promised error, and numpy and scipy with it."""
    promise: MakePromise = resolve_name(PROMISE)
    return promise


def load_scorer_factory(name: str = SCORER) -> "OpenScorer":
    """Import what opens a checkpoint for scoring (RELEX_SCORER), and torch with it."""
    open_scorer: OpenScorer = resolve_name(name)
    return open_scorer


def load_smoke_test() -> "SmokeTest":
    """Import the smoke test of a checkpoint from elsewhere, and torch with it."""
    smoke_test: SmokeTest = resolve_name(SMOKE_TEST)
    return smoke_test


def load_trainer(device: str) -> "Trainer":
    """Import the trainer for a device (RELEX_DEVICE); its processes import torch."""
    factory: TrainerFactory = resolve_name(TRAINER)
    return factory(device)


def load_vote_calibrator() -> "VoteCalibrator":
    """Import the fitting of calibrations for ensembles, as `load_calibrator` does."""
    calibrator: VoteCalibrator = resolve_name(VOTE_CALIBRATOR)
    return calibrator


def load_two_sample_test() -> "TwoSampleTest":
    """Import the two-sample test, and scikit-learn with it."""
    test: TwoSampleTest = resolve_name(TWO_SAMPLE_TEST)
    return test
