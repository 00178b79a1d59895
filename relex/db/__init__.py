"""Postgres, the one place of truth. SQLAlchemy lives here only."""
