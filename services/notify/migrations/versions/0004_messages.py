"""Messages and every try to deliver them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "messages",
        sa.Column("message_id", sa.Text, primary_key=True),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("event_type", sa.Text, nullable=False),
        sa.Column("correlation_id", sa.Text, nullable=False),
        sa.Column("case_no", sa.Text),
        sa.Column("report_code", sa.Text),
        sa.Column(
            "subjects", ARRAY(sa.Text), nullable=False, comment="correlation id, case number, report code"
        ),
        sa.Column("area", sa.Text, nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("template", sa.Text, nullable=False),
        sa.Column("is_urgent", sa.Boolean, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.SmallInteger, nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False, comment="by the rules' clock"),
        sa.Column(
            "due_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.clock_timestamp(),
            comment="real time: of the next try; of a sent message the end of its lease",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="by the rules' clock"),
        sa.Column("delivered_at", sa.DateTime(timezone=True), comment="by the rules' clock"),
        sa.Column("read_at", sa.DateTime(timezone=True), comment="by the rules' clock"),
        sa.Column("last_error", sa.Text),
        sa.UniqueConstraint("event_id", "recipient", "channel", name="messages_once"),
    )
    op.create_index(
        "messages_due",
        "messages",
        ["not_before", "due_at"],
        postgresql_where=sa.text("state IN ('queued', 'failed', 'sent')"),
    )
    op.create_index("messages_subjects", "messages", ["subjects"], postgresql_using="gin")
    op.create_index("messages_recipient", "messages", ["recipient", "message_id"])
    op.create_index("messages_state", "messages", ["state", "message_id"])
    op.create_index("messages_created", "messages", ["created_at"])
    op.create_table(
        "deliveries",
        sa.Column(
            "message_id", sa.Text, sa.ForeignKey("messages.message_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("attempt", sa.SmallInteger, primary_key=True),
        sa.Column(
            "begun_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.Text, comment="delivered | failed; empty while under way or never known"),
        sa.Column("detail", sa.Text),
        comment="every try, in real time",
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("deliveries", "messages"):
        op.drop_table(table)
