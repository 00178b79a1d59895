"""Postgres, the only place of state. Only this package imports SQLAlchemy."""
