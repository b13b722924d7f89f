"""The tables of a ledger, the same in every database.

It must never know how a database is opened or locked. A change here needs a migration in `etl/ledger/migrations`; a
test holds that a migrated ledger and a new one are equal.
"""

from typing import Final

import sqlalchemy as sa

REVISION: Final = "0002"
"""The migration that this schema equals."""
VERSION: Final = int(REVISION)

OPEN: Final = "state IN ('sending', 'in_doubt', 'pending')"
"""Few rows at any time. A query must repeat it word for word, or a database does not see that the index serves it."""

metadata = sa.MetaData()

revisions = sa.Table(
    "alembic_version",
    metadata,
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

jobs = sa.Table(
    "job",
    metadata,
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
    sa.Column("counts", sa.JSON(none_as_null=True)),
    sa.Column("report", sa.String),
    sa.Index("one_job_per_id", "id", unique=True),
    sqlite_autoincrement=True,  # the number of a forgotten job is never given again
)

tables = sa.Table(
    "source_table",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("key", sa.String, nullable=False),
    sa.Index("one_number_per_table", "key", unique=True),
)
"""A key has 40 digits, and a table may have a million rows: they carry a number instead."""

rows = sa.Table(
    "source_row",
    metadata,
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
    # By resource first: it serves `owned`, which asks across jobs, as well.
    sa.Index(
        "one_row_per_resource",
        "resource_id",
        "job_no",
        unique=True,
        sqlite_where=sa.text("resource_id IS NOT NULL"),
        postgresql_where=sa.text("resource_id IS NOT NULL"),
    ),
    sa.Index(
        "open_rows",
        "state",
        "table_no",
        "row",
        "job_no",
        sqlite_where=sa.text(OPEN),
        postgresql_where=sa.text(OPEN),
    ),
    sqlite_with_rowid=False,
)

baselines = sa.Table(
    "baseline",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("job_no", sa.Integer, sa.ForeignKey("job.number"), nullable=False),
    sa.Column("scope", sa.String, nullable=False),
    sa.Column("since", sa.String),
    sa.Index("one_baseline_per_scope", "job_no", "scope", unique=True),
)

baseline_ids = sa.Table(
    "baseline_id",
    metadata,
    sa.Column("baseline_no", sa.Integer, sa.ForeignKey("baseline.number"), primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sqlite_with_rowid=False,
)

holders = sa.Table(
    "holder",
    metadata,
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
    sa.Index("one_holder_per_token", "token", unique=True),
    sqlite_autoincrement=True,
)
"""A process that works, or worked, on tables. `ended`: `released`, or `lost` to another; None while it is theirs.

`beat` counts its renewals. `seen_…`: which beat somebody who was refused saw, and when by the clock of their machine.
"""

leases = sa.Table(
    "lease",
    metadata,
    sa.Column("table_no", sa.Integer, sa.ForeignKey("source_table.number"), primary_key=True, autoincrement=False),
    sa.Column("holder_no", sa.Integer, sa.ForeignKey("holder.number"), nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
)
"""Who worked on a table last. `epoch` counts how often it changed hands."""
