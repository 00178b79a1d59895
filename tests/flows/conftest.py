"""The fixtures of tests that run flows on a real Postgres."""

from tests.fixtures.flows import look, run_study, settings, strict_url, train

__all__ = ["look", "run_study", "settings", "strict_url", "train"]
