"""Contacts, and their addresses in a table of their own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "contacts",
        sa.Column("ref", sa.Text, primary_key=True),
        sa.Column("origin", sa.Text, primary_key=True, comment="site:<site>, or shared by the person"),
        sa.Column("channels", ARRAY(sa.Text), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False, comment="of the fact that shared it"),
    )
    op.create_table(
        "contact_addresses",
        sa.Column("ref", sa.Text, primary_key=True),
        sa.Column("origin", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("address", sa.Text, nullable=False, comment="P2"),
        sa.Column("secret", sa.Text),
        sa.ForeignKeyConstraint(["ref", "origin"], ["contacts.ref", "contacts.origin"], ondelete="CASCADE"),
        comment="P2: erased with its contact",
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("contact_addresses", "contacts"):
        op.drop_table(table)
