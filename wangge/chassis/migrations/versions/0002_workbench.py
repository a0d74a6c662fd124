"""What operators did with held events; by whom and under which id each was sent."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns with defaults, so that the code before this one goes on writing."""
    for name in ("sender", "message_id"):
        op.add_column("held_event", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("held_event", sa.Column("replayed_at", sa.DateTime(timezone=True)))
    op.execute(
        "UPDATE held_event SET message_id = event_id, "
        "sender = CASE WHEN origin <> '' THEN origin ELSE source END"
    )
    op.create_index(
        "held_group",
        "held_event",
        ["fingerprint", "sender", "id"],
        postgresql_where=sa.text("state = 'quarantined'"),
    )
    op.create_index("held_sent_as", "held_event", ["message_id"])
    op.create_table(
        "held_act",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("held_id", sa.BigInteger, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
    )
    op.create_index("held_act_held", "held_act", ["held_id", "id"])


def downgrade() -> None:
    """Take them away."""
    op.drop_table("held_act")
    op.drop_index("held_sent_as", "held_event")
    op.drop_index("held_group", "held_event")
    for name in ("replayed_at", "message_id", "sender"):
        op.drop_column("held_event", name)
