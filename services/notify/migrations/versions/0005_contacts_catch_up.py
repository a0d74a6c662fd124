"""When to look for what was told to somebody just before their contact was known."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the instant."""
    op.add_column(
        "contacts",
        sa.Column(
            "catch_up_at",
            sa.DateTime(timezone=True),
            comment="real time: when to look for what was told without it",
        ),
    )
    op.create_index(
        "contacts_catch_up",
        "contacts",
        ["catch_up_at"],
        postgresql_where=sa.text("catch_up_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Remove it."""
    op.drop_index("contacts_catch_up")
    op.drop_column("contacts", "catch_up_at")
