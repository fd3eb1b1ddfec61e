"""Runs the steps in the transaction of the connection that `engine` hands over."""

from alembic import context

from data.records.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
