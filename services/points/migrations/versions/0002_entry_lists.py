"""Lists of a community's entries, of all periods and of one, are read in the order of an index."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

COMMUNITY = sa.text("left(area, 12)")


def upgrade() -> None:
    op.create_index("entry_community", "entries", [COMMUNITY, "entry_id"])
    op.create_index("entry_community_period", "entries", [COMMUNITY, "period", "entry_id"])


def downgrade() -> None:
    op.drop_index("entry_community_period", "entries")
    op.drop_index("entry_community", "entries")
