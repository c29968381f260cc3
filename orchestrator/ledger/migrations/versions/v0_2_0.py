"""Labs: who runs a trial, workers and leases, declared stations, tokens and the audit trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0_2_0"
down_revision = "v0_1_0"
branch_labels = None
depends_on = None

TABLES = ("idempotency", "audit", "token", "late_result", "lease", "worker", "station")


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _real(name: str, *, null: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Float(53), nullable=null)


def upgrade() -> None:
    op.add_column(
        "campaign", sa.Column("dispatch", sa.Text(), nullable=False, server_default="local")
    )
    op.add_column("trial", _text("lab", null=True))
    op.add_column("trial", _text("worker", null=True))
    _fleet()
    _access()


def _fleet() -> None:
    op.create_table(
        "station",
        *(_text(n) for n in ("name", "description", "registered_at", "registered_by")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_station")),
    )
    op.create_table(
        "worker",
        *(_text(n) for n in ("id", "lab", "station", "details", "version")),
        *(_text(n, null=True) for n in ("hidden", "token")),
        _text("registered_at"),
        _real("seen"),
        _real("safe_within"),
        _text("state"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
    )
    op.create_table(
        "lease",
        *(_text(n) for n in ("id", "campaign", "members", "station")),
        _text("labs", null=True),
        _text("hidden", null=True),
        _text("state"),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        _text("worker", null=True),
        _text("lab", null=True),
        _real("offered"),
        _real("granted", null=True),
        _real("expires", null=True),
        _text("progress", null=True),
        sa.Column("cancel", sa.Boolean(), nullable=False),
        _text("digest", null=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lease")),
    )
    op.create_index("ix_lease_state_station_offered", "lease", ["state", "station", "offered"])
    op.create_index("ix_lease_campaign", "lease", ["campaign"])
    op.create_table(
        "late_result",
        *(_text(n) for n in ("id", "lease", "campaign")),
        sa.Column("trial", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        _text("worker", null=True),
        *(_text(n) for n in ("at", "body", "digest")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_late_result")),
    )
    op.create_index("ix_late_result_campaign_trial", "late_result", ["campaign", "trial"])


def _access() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "token",
        *(_text(n) for n in ("id", "hash", "scopes")),
        _text("lab", null=True),
        *(_text(n) for n in ("label", "created_at")),
        *(_text(n, null=True) for n in ("expires_at", "revoked_at", "used_at")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
    )
    op.create_table(
        "audit",
        sa.Column("number", number, autoincrement=True, nullable=False),
        *(_text(n) for n in ("at", "actor", "action", "target")),
        sa.Column("status", sa.Integer(), nullable=False),
        _text("detail"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit")),
    )
    op.create_table(
        "idempotency",
        *(_text(n) for n in ("key", "actor", "route", "digest")),
        sa.Column("status", sa.Integer(), nullable=True),
        _text("response", null=True),
        _real("expires"),
        sa.PrimaryKeyConstraint("actor", "key", name=op.f("pk_idempotency")),
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    for table, column in (("trial", "worker"), ("trial", "lab"), ("campaign", "dispatch")):
        op.drop_column(table, column)
