"""Where alembic begins: on a connection, within a transaction that its caller has begun and will commit.

It must never open or commit anything, so that a migration that is killed has not happened.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
