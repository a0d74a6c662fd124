"""The purge finds idempotency keys past their keeping time by an index."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the index."""
    op.create_index("idempotency_created", "idempotency_key", ["created_at"])


def downgrade() -> None:
    """Remove the index."""
    op.drop_index("idempotency_created", "idempotency_key")
