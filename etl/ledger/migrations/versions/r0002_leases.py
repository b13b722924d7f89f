"""Schema 2: numbers instead of keys, leases, baselines, and what an outcome was made of.

It must never know the schema of today, even where that is still the same.
"""

import sqlalchemy as sa
from alembic import op

from etl.crashpoints import reach

revision = "0002"
down_revision = "0001"

_OPEN = sa.text("state IN ('sending', 'in_doubt', 'pending')")

_CONVERT = (
    """
    INSERT INTO job (id, command, base_url, workspace, key_fingerprint, contract, sources, identity, settings, started,
                     ended, exit_code)
    SELECT id, command, base_url, workspace, key_fingerprint, contract, sources, '', '{}', started, ended, exit_code
    FROM job_1 ORDER BY started, id
    """,
    """INSERT INTO source_table ("key") SELECT DISTINCT source_table FROM "row" ORDER BY source_table""",
    """
    INSERT INTO source_row (job_no, table_no, "row", state, body_sha256, resource_id, attempts, evidence)
    SELECT job.number, source_table.number, "row"."row", "row".state, "row".body_sha256, "row".resource_id,
           "row".attempts, "row".evidence
    FROM "row" JOIN job ON job.id = "row".job_id JOIN source_table ON source_table."key" = "row".source_table
    """,
    # Version 1 did not write down who worked on a table, and when last: somebody did, and may have just sent.
    """
    INSERT INTO holder (token, job_id, host, pid, since, ended, beat, renewed_boot_s, renewed_wall_s)
    SELECT 'schema 1', '', '', 0, '1970-01-01T00:00:00+00:00', 'lost', 0, 0, 0 FROM source_table LIMIT 1
    """,
    "INSERT INTO lease SELECT source_table.number, holder.number, 1 FROM source_table, holder",
)


def upgrade() -> None:
    op.drop_index("rows_of_a_table")
    op.drop_index("one_row_per_resource")
    op.rename_table("job", "job_1")
    _make_jobs()
    _make_rows()
    _make_baselines()
    _make_leases()
    for number, statement in enumerate(_CONVERT):
        op.execute(statement)
        if number == 2:
            reach("schema-migrating")
    op.drop_table("row")
    op.drop_table("job_1")


def _make_jobs() -> None:
    op.create_table(
        "job",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("command", sa.String, nullable=False),
        sa.Column("base_url", sa.String, nullable=False),
        sa.Column("workspace", sa.String),
        sa.Column("key_fingerprint", sa.String, nullable=False),
        sa.Column("contract", sa.String, nullable=False),
        sa.Column("sources", sa.JSON, nullable=False),
        sa.Column("identity", sa.String, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("started", sa.String, nullable=False),
        sa.Column("ended", sa.String),
        sa.Column("exit_code", sa.Integer),
        sa.Column("counts", sa.JSON),
        sa.Column("report", sa.String),
        sqlite_autoincrement=True,
    )
    op.create_index("one_job_per_id", "job", ["id"], unique=True)


def _make_rows() -> None:
    op.create_table(
        "source_table",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("key", sa.String, nullable=False),
    )
    op.create_index("one_number_per_table", "source_table", ["key"], unique=True)
    op.create_table(
        "source_row",
        sa.Column("job_no", sa.Integer, sa.ForeignKey("job.number"), primary_key=True),
        sa.Column("table_no", sa.Integer, sa.ForeignKey("source_table.number"), primary_key=True),
        sa.Column("row", sa.BigInteger, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("body_sha256", sa.LargeBinary),
        sa.Column("resource_id", sa.String),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("evidence", sa.String),
        sa.Column("http_status", sa.Integer),
        sa.Column("code", sa.String),
        sa.Column("field", sa.String),
        sa.Column("version", sa.String),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "one_row_per_resource",
        "source_row",
        ["resource_id", "job_no"],
        unique=True,
        sqlite_where=sa.text("resource_id IS NOT NULL"),
    )
    op.create_index("open_rows", "source_row", ["state", "table_no", "row", "job_no"], sqlite_where=_OPEN)


def _make_baselines() -> None:
    op.create_table(
        "baseline",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("job_no", sa.Integer, sa.ForeignKey("job.number"), nullable=False),
        sa.Column("scope", sa.String, nullable=False),
        sa.Column("since", sa.String),
    )
    op.create_index("one_baseline_per_scope", "baseline", ["job_no", "scope"], unique=True)
    op.create_table(
        "baseline_id",
        sa.Column("baseline_no", sa.Integer, sa.ForeignKey("baseline.number"), primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sqlite_with_rowid=False,
    )


def _make_leases() -> None:
    op.create_table(
        "holder",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("token", sa.String, nullable=False),
        sa.Column("job_id", sa.String, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started", sa.String),
        sa.Column("boot", sa.String),
        sa.Column("pids", sa.String),
        sa.Column("since", sa.String, nullable=False),
        sa.Column("ended", sa.String),
        sa.Column("beat", sa.Integer, nullable=False),
        sa.Column("renewed_boot_s", sa.Float(53), nullable=False),
        sa.Column("renewed_wall_s", sa.Float(53), nullable=False),
        sa.Column("seen_by", sa.String),
        sa.Column("seen_beat", sa.Integer),
        sa.Column("seen_boot_s", sa.Float(53)),
        sqlite_autoincrement=True,
    )
    op.create_index("one_holder_per_token", "holder", ["token"], unique=True)
    op.create_table(
        "lease",
        sa.Column("table_no", sa.Integer, sa.ForeignKey("source_table.number"), primary_key=True, autoincrement=False),
        sa.Column("holder_no", sa.Integer, sa.ForeignKey("holder.number"), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
    )
