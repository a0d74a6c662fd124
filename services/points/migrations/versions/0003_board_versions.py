"""Each board counts its own changes, so that a late entry of one period leaves the sorted sets of the others in use."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "board_versions",
        sa.Column("site", sa.Text, sa.ForeignKey("sites.site"), primary_key=True),
        sa.Column("period", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False, comment="counts changes of the board's scores"),
    )


def downgrade() -> None:
    op.drop_table("board_versions")
