"""Alembic's entry: runs the migrations on the connection that `relex.db.schema` hands over.

There is no alembic.ini and no URL here: `relex db upgrade` is the one way in, so that the advisory lock is
always held.
"""

from alembic import context

from relex.db.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
