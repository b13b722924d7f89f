"""Schema 1: jobs, and rows under the whole key of their table. Only ever in SQLite.

It must never know the schema of today.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("command", sa.String, nullable=False),
        sa.Column("base_url", sa.String, nullable=False),
        sa.Column("workspace", sa.String),
        sa.Column("key_fingerprint", sa.String, nullable=False),
        sa.Column("contract", sa.String, nullable=False),
        sa.Column("sources", sa.JSON, nullable=False),
        sa.Column("started", sa.String, nullable=False),
        sa.Column("ended", sa.String),
        sa.Column("exit_code", sa.Integer),
    )
    op.create_table(
        "row",
        sa.Column("job_id", sa.String, sa.ForeignKey("job.id"), primary_key=True),
        sa.Column("source_table", sa.String, primary_key=True),
        sa.Column("row", sa.Integer, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("body_sha256", sa.LargeBinary),
        sa.Column("resource_id", sa.String),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("evidence", sa.String),
        sqlite_with_rowid=False,
    )
    op.create_index("rows_of_a_table", "row", ["source_table"])
    op.create_index(
        "one_row_per_resource",
        "row",
        ["job_id", "resource_id"],
        unique=True,
        sqlite_where=sa.text("resource_id IS NOT NULL"),
    )
