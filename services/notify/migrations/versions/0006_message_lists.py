"""Lists of messages, of a community's and of the unread ones, are read in the order of an index."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

UNDELIVERED = sa.text("state NOT IN ('delivered', 'read')")
UNREAD = sa.text("channel = 'inbox' AND state = 'delivered'")


def upgrade() -> None:
    op.drop_index("messages_state", "messages")
    op.create_index("messages_undelivered", "messages", ["state", "message_id"], postgresql_where=UNDELIVERED)
    op.create_index("messages_unread", "messages", ["recipient", "message_id"], postgresql_where=UNREAD)
    op.create_index("messages_community", "messages", [sa.text("left(area, 12)"), "message_id"])


def downgrade() -> None:
    for name in ("messages_community", "messages_unread", "messages_undelivered"):
        op.drop_index(name, "messages")
    op.create_index("messages_state", "messages", ["state", "message_id"])
