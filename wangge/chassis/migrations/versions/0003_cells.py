"""Cells with their areas, and events that wait for a hand-over."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table, and say of a held event whose hand-over it waits for."""
    op.create_table(
        "cell",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("areas", ARRAY(sa.Text), nullable=False),
        sa.Column("lanes", sa.SmallInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("is_shared", sa.Boolean, nullable=False),
        sa.Column("mark", sa.Text),
        sa.Column("awaiting", ARRAY(sa.Text)),
        sa.Column("switched_at", sa.DateTime(timezone=True)),
        sa.Column("marked_at", sa.DateTime(timezone=True)),
        sa.Column(
            "changed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()
        ),
    )
    op.add_column("held_event", sa.Column("cell", sa.Text))
    op.create_index(
        "held_in_transit",
        "held_event",
        ["cell", "partitionkey"],
        postgresql_where=sa.text("state = 'in_transit'"),
    )


def downgrade() -> None:
    """Forget the cells; the last release binds their areas again as they start."""
    op.drop_index("held_in_transit", "held_event")
    op.drop_column("held_event", "cell")
    op.drop_table("cell")
