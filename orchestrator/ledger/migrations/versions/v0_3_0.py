"""What was drawn of each stock solution."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v0_3_0"
down_revision = "v0_2_0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dose",
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("lab", sa.Text(), nullable=False),
        sa.Column("trial", sa.Integer()),
        sa.Column("attempt", sa.Integer()),
        sa.Column("doses", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("campaign", "seq", name=op.f("pk_dose")),
    )
    op.create_index("ix_dose_lab", "dose", ["lab"])


def downgrade() -> None:
    op.drop_table("dose")
