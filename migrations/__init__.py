"""The migrations of relex' tables, run by Alembic."""
