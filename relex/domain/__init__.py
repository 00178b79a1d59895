"""Immutable domain objects: examples, jobs, training runs and model versions; no I/O."""
