"""The verbs of relex, one a file, end to end; they reach neither Celery nor torch nor click."""
