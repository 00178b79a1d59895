"""No worker's clock comes into Postgres: by construction, beside the fault "a worker's clock is hours ahead"."""

import ast

from tests.processes import ROOT

STATE = [
    *sorted((ROOT / "relex" / "db").glob("*.py")),
    *sorted((ROOT / "worker").glob("*.py")),
    *(ROOT / "relex" / "flows" / f"{name}.py" for name in ("lease", "score", "submit", "sweep")),
]
"""What writes the state of jobs."""

OF_THE_DAY = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "time.localtime"}


def test_nobody_asks_this_machine_what_time_it_is():
    """Times of jobs come from Postgres alone; a path in the message is an offender."""
    assert not [str(path.relative_to(ROOT)) for path in STATE if _asks_for_the_time(ast.parse(path.read_text("utf-8")))]


def _asks_for_the_time(tree):
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    return called & (OF_THE_DAY | {f"datetime.{name}" for name in OF_THE_DAY}) or named & {"time_ns", "localtime"}
