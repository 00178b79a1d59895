"""Alembic's entry point: runs the migrations on the connection that `relex.db.migrate` hands over.

There is no alembic.ini and no URL: `relex db upgrade` is the only way in, so the advisory lock is always held.
"""

from alembic import context

from relex.db.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
