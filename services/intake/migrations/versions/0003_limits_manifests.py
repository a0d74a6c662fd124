"""Quota and pace of publishers; on which day a message first came, how often, and when a refused one may come again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns with defaults, so that the code before this one goes on writing."""
    op.add_column("publishers", sa.Column("quota_per_day", sa.BigInteger))
    op.add_column("publishers", sa.Column("pace_per_minute", sa.BigInteger))
    op.create_table(
        "publisher_days",
        sa.Column("publisher", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("taken", sa.BigInteger, nullable=False),
    )
    today = sa.text("(now() AT TIME ZONE 'Asia/Shanghai')::date")
    op.add_column("receipts", sa.Column("received_on", sa.Date, nullable=False, server_default=today))
    op.add_column("receipts", sa.Column("times", sa.BigInteger, nullable=False, server_default="1"))
    op.add_column("receipts", sa.Column("code", sa.Text))
    op.add_column("receipts", sa.Column("retry_at", sa.DateTime(timezone=True)))
    op.execute("UPDATE receipts SET received_on = (issued_at AT TIME ZONE 'Asia/Shanghai')::date")
    op.create_index(
        "receipt_manifest",
        "receipts",
        ["publisher", "received_on", "outcome", sa.text('message_id COLLATE "C"')],
    )
    op.drop_index("receipt_issued", "receipts")  # no query used it


def downgrade() -> None:
    """Take them away."""
    op.create_index("receipt_issued", "receipts", ["publisher", "issued_at"])
    op.drop_index("receipt_manifest", "receipts")
    for name in ("retry_at", "code", "times", "received_on"):
        op.drop_column("receipts", name)
    op.drop_table("publisher_days")
    for name in ("pace_per_minute", "quota_per_day"):
        op.drop_column("publishers", name)
