"""Examples, jobs, training runs and model versions as frozen values; no I/O."""
