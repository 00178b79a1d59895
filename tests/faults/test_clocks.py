"""No worker's clock comes into Postgres: by construction, beside the fault "a worker's clock is hours ahead"."""

import ast

import pytest

from tests.processes import ROOT

STATE = [
    *sorted((ROOT / "relex" / "db").glob("*.py")),
    *sorted((ROOT / "worker").glob("*.py")),
    *(ROOT / "relex" / "flows" / f"{name}.py" for name in ("lease", "retry_write", "score", "submit", "sweep")),
]
"""What writes the state of jobs."""

OF_THE_DAY = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "time.localtime"}


@pytest.mark.parametrize("path", STATE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_asks_this_machine_what_time_it_is(path):
    tree = ast.parse(path.read_text("utf-8"))
    asked = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert not asked & (OF_THE_DAY | {f"datetime.{name}" for name in OF_THE_DAY})
    assert not named & {"time_ns", "localtime"}
