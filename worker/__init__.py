"""Celery, and nothing but carrying."""
