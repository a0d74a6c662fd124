"""Reports with their history, reporters' contacts, receipts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"

TABLES = ("report", "report_move", "reporter_contact", "receipt", "near_epoch")


def upgrade() -> None:
    """Create the tables."""
    op.execute(sa.schema.CreateSequence(sa.Sequence("report_number")))
    op.execute(sa.schema.CreateSequence(sa.Sequence("near_epoch_number")))
    op.create_table(
        "near_epochs",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "receipts",
        sa.Column("publisher", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("report_code", sa.Text),
        sa.Column("of", sa.Text),
        sa.Column("errors", JSONB, nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("publisher", "message_id"),
    )
    op.create_index("receipt_issued", "receipts", ["publisher", "issued_at"])
    op.create_table(
        "reports",
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column(
            "sender", sa.Text, comment="publisher:<login> or person:<id> that brought it; null: anonymous"
        ),
        sa.Column("external_no", sa.Text),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("title", sa.Text),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("given_area", sa.Text),
        sa.Column("given_category", sa.Text),
        sa.Column("given_urgency", sa.Text, nullable=False),
        sa.Column("sender_ref", sa.Text, comment="the sender's opaque reference to the person who reported"),
        sa.Column("lng", sa.Float()),
        sa.Column("lat", sa.Float()),
        sa.Column("address", sa.Text),
        sa.Column("evidence", JSONB, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("area", sa.Text, nullable=False),
        sa.Column("community", sa.Text, nullable=False),
        sa.Column("located_by", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("urgency", sa.Text, nullable=False),
        sa.Column("reporter_ref", sa.Text, nullable=False),
        sa.Column("is_confidential", sa.Boolean(), nullable=False),
        sa.Column("wants_reply", sa.Boolean(), nullable=False),
        sa.Column("merged_into", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("reply", sa.Text),
        sa.Column("case_no", sa.Text),
        sa.Column("case_sequence", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index(
        "report_area", "reports", ["area", "received_at", "code"], postgresql_ops={"area": "text_pattern_ops"}
    )
    op.create_index("report_channel", "reports", ["channel", "received_at", "code"])
    op.create_index(
        "report_external_no",
        "reports",
        ["sender", "external_no"],
        unique=True,
        postgresql_where=sa.text("external_no IS NOT NULL"),
    )
    op.create_index(
        "report_merged_into", "reports", ["merged_into"], postgresql_where=sa.text("merged_into IS NOT NULL")
    )
    op.create_index(
        "report_open_near",
        "reports",
        ["community", "category"],
        postgresql_where=sa.text("status IN ('submitted', 'accepted', 'filed') AND lng IS NOT NULL"),
    )
    op.create_index("report_received", "reports", ["received_at", "code"])
    op.create_index("report_status", "reports", ["status", "received_at", "code"])
    op.create_table(
        "report_moves",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("report_code", sa.Text, nullable=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text, comment="who; null: a rule, or somebody anonymous"),
        sa.Column("note", sa.Text),
        sa.PrimaryKeyConstraint("id"),
        comment="history: only appended",
    )
    op.create_index("report_move_report", "report_moves", ["report_code", "id"])
    op.create_table(
        "reporter_contacts",
        sa.Column("subject_ref", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("phone", sa.Text),
        sa.Column("mail", sa.Text),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject_ref"),
        comment="P2: erasable without touching the report",
    )
    op.execute("INSERT INTO near_epochs (id, epoch) VALUES (1, nextval('near_epoch_number'))")


def downgrade() -> None:
    """Drop the tables."""
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute(sa.schema.DropSequence(sa.Sequence("near_epoch_number")))
    op.execute(sa.schema.DropSequence(sa.Sequence("report_number")))
