"""The fixtures of tests that run flows on a real Postgres."""

from tests.fixtures.flows import look, searched, settings, strict_url, train

__all__ = ["look", "searched", "settings", "strict_url", "train"]
