"""A real Postgres for a machine that has none."""
