"""Heavy entry points: each one exists and fits its consumer's Protocol, and only `relex.lazy` looks one up."""

import ast
import inspect
from pkgutil import resolve_name

import pytest

from relex import lazy
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
from tests.processes import ROOT

PROTOCOLS = {
    lazy.BENCHMARK: [RunBenchmark],
    lazy.CALIBRATOR: [Calibrator],
    lazy.DEVICE: [ResolveDevice],
    lazy.EVALUATOR: [Evaluator],
    lazy.MIGRATE: [Migrate],
    lazy.PARITY_CHECK: [ParityCheck],
    lazy.PROMISE: [MakePromise],
    lazy.SCORER: [OpenScorer],
    lazy.SMOKE_TEST: [SmokeTest],
    lazy.TRAINER: [Trainer, TrainerFactory],
    lazy.TWO_SAMPLE_TEST: [TwoSampleTest],
    lazy.VOTE_CALIBRATOR: [VoteCalibrator],
}

LOOKUPS = {"resolve_name", "import_module", "find_spec", "__import__"}
ALLOWED = {
    "relex/lazy.py": "the one place",
    "relex/embedded/layout.py": "finds the wheel that holds Postgres's programs, without importing it",
    "worker/app.py": "Celery's loader imports the tasks by their names",
    "cli/main.py": "the table of commands, each of which other tests call",
}


def required_call(method):
    """Return the positional arguments and the keywords with which a Protocol's method is called."""
    parameters = [each for name, each in inspect.signature(method).parameters.items() if name != "self"]
    keywords = {each.name: None for each in parameters if each.kind is each.KEYWORD_ONLY}
    return [None] * (len(parameters) - len(keywords)), keywords


def mismatches(target, protocol):
    """Return the methods of a Protocol that a target lacks or that cannot be called as the Protocol says."""
    for name, method in vars(protocol).items():
        if not inspect.isfunction(method) or (name.startswith("_") and name != "__call__"):
            continue
        function = target if name == "__call__" else getattr(target, name, None)
        if function is None:
            yield f"{protocol.__name__}.{name} is missing"
            continue
        arguments, keywords = required_call(method)
        if inspect.isclass(target) and name != "__call__":
            arguments = [None, *arguments]  # self
        try:
            inspect.signature(function).bind(*arguments, **keywords)
        except TypeError as error:
            yield f"{protocol.__name__}.{name}: {error}"


def test_every_entry_is_listed():
    """A new entry must name its Protocol here."""
    paths = {value for name, value in vars(lazy).items() if name.isupper() and isinstance(value, str)}
    assert paths == set(PROTOCOLS)


@pytest.mark.parametrize("path", PROTOCOLS)
def test_an_entry_fits_its_protocol(path):
    """Each entry resolves and can be called as its consumer calls it."""
    target = resolve_name(path)
    assert [problem for protocol in PROTOCOLS[path] for problem in mismatches(target, protocol)] == []


def test_an_entry_that_does_not_fit_is_found():
    """The check itself sees a missing method and a wrong number of arguments."""
    assert list(mismatches(lambda _, __: None, OpenScorer)) == ["OpenScorer.__call__: too many positional arguments"]
    assert len(list(mismatches(object(), Evaluator))) == 3


def names_in(path):
    """Return every name that a file calls, reads or imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                yield name.rpartition(".")[2]


def test_only_lazy_looks_anything_up_by_a_string():
    """Neither mypy nor import-linter sees an import that is made from a string."""
    files = [path for room in ("relex", "worker", "cli") for path in (ROOT / room).rglob("*.py")]
    offenders = {str(path.relative_to(ROOT)) for path in files if LOOKUPS.intersection(names_in(path))}
    assert offenders == set(ALLOWED)
