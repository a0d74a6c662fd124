"""Sites with their routes and templates."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "sites",
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("area", sa.Text, nullable=False, unique=True, comment="community, 12 digits"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("revision", sa.Text, nullable=False),
        sa.Column("names", JSONB, nullable=False, comment="Chinese names of codes"),
        sa.Column("quiet_from", sa.Time),
        sa.Column("quiet_to", sa.Time),
        sa.Column("retries", JSONB, nullable=False),
        sa.Column(
            "applied_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()
        ),
    )
    op.create_table(
        "templates",
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "routes",
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("position", sa.SmallInteger, primary_key=True),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("template", sa.Text, nullable=False),
        sa.Column("to", ARRAY(sa.Text), nullable=False),
        sa.Column("is_urgent", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("routes", "templates", "sites"):
        op.drop_table(table)
