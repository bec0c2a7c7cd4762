"""Alembic's entry point. The connection, with its transaction, comes from `callpool.store.schema`."""

from alembic import context

from callpool.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
