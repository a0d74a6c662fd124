"""Lists of reports by community and grid are read in the order of an index; those by state only while under way."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

NEAR = sa.text("status IN ('submitted', 'accepted', 'filed') AND lng IS NOT NULL")


def upgrade() -> None:
    for name in ("report_area", "report_status", "report_open_near"):
        op.drop_index(name, "reports")
    for digits in (12, 15):
        leading = sa.text(f"left(area, {digits})")
        op.create_index(f"report_area_{digits}", "reports", [leading, "received_at", "code"])
    op.create_index(
        "report_under_way",
        "reports",
        ["status", "received_at", "code"],
        postgresql_where=sa.text("status <> 'closed'"),
    )
    op.create_index(
        "report_under_way_12",
        "reports",
        [sa.text("left(area, 12)"), "status", "received_at", "code", "area"],
        postgresql_where=sa.text("status <> 'closed'"),
    )
    op.create_index("report_open_near", "reports", ["community", "category", "lat"], postgresql_where=NEAR)


def downgrade() -> None:
    for name in (
        "report_open_near",
        "report_under_way",
        "report_under_way_12",
        "report_area_12",
        "report_area_15",
    ):
        op.drop_index(name, "reports")
    op.create_index("report_open_near", "reports", ["community", "category"], postgresql_where=NEAR)
    op.create_index("report_status", "reports", ["status", "received_at", "code"])
    op.create_index(
        "report_area", "reports", ["area", "received_at", "code"], postgresql_ops={"area": "text_pattern_ops"}
    )
