"""The worker: Celery and background processes around the flows of relex."""
