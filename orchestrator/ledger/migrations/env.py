"""Alembic's environment: runs on the connection that orchestrator.ledger hands over."""

from alembic import context

from orchestrator.ledger._tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
