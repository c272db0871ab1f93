"""Alembic's entry: runs on the connection that `kb.db.Database.upgrade` hands over."""

from alembic import context

from kb.models import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
context.run_migrations()
