"""Brings the tables of an earlier version up to those of this one, within a transaction of the caller's.

It must never know which database that is, and is imported only where there is something to bring up: alembic takes
longer to load than a ledger to open.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from etl.ledger import migrations
from etl.ledger.schema import REVISION, revisions


def adopt(connection: sa.Connection, revision: str) -> None:
    """Write down which version made the tables, where that version did not."""
    revisions.create(connection)
    connection.execute(sa.insert(revisions).values(version_num=revision))


def migrate(connection: sa.Connection, to: str = REVISION) -> None:
    """Take every step from the version that is written down to another, all of them or none."""
    config = Config()
    # A "%" begins a reference in alembic's own settings.
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
