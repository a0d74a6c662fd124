"""Sites, members, rule sets, entries, periods, board rows, wallets."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "sites",
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("area", sa.Text, nullable=False, unique=True),
        sa.Column("period_kind", sa.Text, nullable=False),
        sa.Column("revision", sa.Text, nullable=False),
        sa.Column("boards_version", sa.BigInteger, nullable=False, server_default=sa.text("0")),
        sa.Column(
            "applied_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()
        ),
    )
    op.create_table(
        "rule_sets",
        sa.Column("rule_set_id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("site", sa.Text, sa.ForeignKey("sites.site"), nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("valid_from", sa.Date, nullable=False),
        sa.Column("base_cap", sa.Numeric(8, 2), nullable=False),
        sa.Column("award_cap", sa.Numeric(8, 2), nullable=False),
        sa.UniqueConstraint("site", "code", "version"),
    )
    op.create_index("rule_set_valid", "rule_sets", ["site", "valid_from", "rule_set_id"])
    op.create_table(
        "rule_items",
        sa.Column("rule_set_id", sa.BigInteger, sa.ForeignKey("rule_sets.rule_set_id"), primary_key=True),
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("position", sa.SmallInteger, nullable=False),
        sa.Column("part", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("value", sa.Numeric(8, 2), nullable=False),
        sa.Column("value_min", sa.Numeric(8, 2)),
        sa.Column("max_times", sa.Integer),
        sa.Column("per_period_cap", sa.Numeric(8, 2)),
        sa.Column("evidence_required", sa.Boolean, nullable=False),
        sa.Column("auto", JSONB),
    )
    op.create_table(
        "members",
        sa.Column("person_id", sa.Text, primary_key=True),
        sa.Column("site", sa.Text, sa.ForeignKey("sites.site"), nullable=False),
        sa.Column("org", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("area", sa.Text, nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True)),
    )
    op.create_index("member_site", "members", ["site", "person_id"])
    op.create_index("member_area", "members", ["area"], postgresql_ops={"area": "text_pattern_ops"})
    op.create_table(
        "periods",
        sa.Column("site", sa.Text, sa.ForeignKey("sites.site"), primary_key=True),
        sa.Column("code", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by", sa.Text, nullable=False),
    )
    op.create_table(
        "entries",
        sa.Column("entry_id", sa.Text, primary_key=True),
        sa.Column("person_id", sa.Text, sa.ForeignKey("members.person_id"), nullable=False),
        sa.Column("site", sa.Text, sa.ForeignKey("sites.site"), nullable=False),
        sa.Column("area", sa.Text, nullable=False),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("part", sa.Text, nullable=False),
        sa.Column("value", sa.Numeric(8, 2), nullable=False),
        sa.Column("counted", sa.Numeric(8, 2)),
        sa.Column("rule_set_id", sa.BigInteger, sa.ForeignKey("rule_sets.rule_set_id"), nullable=False),
        sa.Column("period", sa.Text, nullable=False),
        sa.Column("occurred_on", sa.Date, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text),
        sa.Column("case_no", sa.Text),
        sa.Column("closing", sa.Integer),
        sa.Column("evidence", JSONB, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("recorded_by", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reviewed_by", sa.Text),
        sa.Column("reviewed_at", sa.DateTime(timezone=True)),
        sa.Column("review_note", sa.Text),
        sa.Column("posted_at", sa.DateTime(timezone=True)),
        sa.Column("reverses", sa.Text, sa.ForeignKey("entries.entry_id")),
        sa.Column("is_carried", sa.Boolean, nullable=False),
        sa.Column("reversed_by", sa.Text),
        sa.Column("reversed_in", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index(
        "entry_event",
        "entries",
        ["event_id", "item", "person_id"],
        unique=True,
        postgresql_where=sa.text("event_id IS NOT NULL"),
    )
    op.create_index(
        "entry_reverses",
        "entries",
        ["reverses"],
        unique=True,
        postgresql_where=sa.text("reverses IS NOT NULL"),
    )
    op.create_index("entry_person", "entries", ["person_id", "entry_id"])
    op.create_index(
        "entry_case", "entries", ["case_no", "closing"], postgresql_where=sa.text("case_no IS NOT NULL")
    )
    op.create_index("entry_recorded", "entries", ["entry_id"], postgresql_where=sa.text("state = 'recorded'"))
    op.create_table(
        "tallies",
        sa.Column("person_id", sa.Text, sa.ForeignKey("members.person_id"), primary_key=True),
        sa.Column("period", sa.Text, primary_key=True),
        sa.Column("item", sa.Text, primary_key=True),
        sa.Column(
            "times", JSONB, nullable=False, comment="how many standing entries there are of each value"
        ),
        sa.Column("rule_set_id", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "reopenings",
        sa.Column("case_no", sa.Text, primary_key=True),
        sa.Column("closing", sa.Integer, nullable=False, comment="the highest closing that no longer stands"),
    )
    op.create_table(
        "board_rows",
        sa.Column("person_id", sa.Text, sa.ForeignKey("members.person_id"), primary_key=True),
        sa.Column("period", sa.Text, primary_key=True),
        sa.Column("base", sa.Numeric(10, 2), nullable=False, comment="before the cap of the part, as award"),
        sa.Column("award", sa.Numeric(10, 2), nullable=False),
        sa.Column("penalty", sa.Numeric(10, 2), nullable=False),
        sa.Column("total", sa.Numeric(5, 2), nullable=False),
        sa.Column("rule_set_id", sa.BigInteger, sa.ForeignKey("rule_sets.rule_set_id"), nullable=False),
    )
    op.create_table(
        "wallets",
        sa.Column("person_id", sa.Text, sa.ForeignKey("members.person_id"), primary_key=True),
        sa.Column("account", sa.Numeric(12, 2), nullable=False),
    )
    op.create_table(
        "wallet_entries",
        sa.Column("line", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("person_id", sa.Text, sa.ForeignKey("members.person_id"), nullable=False),
        sa.Column("delta", sa.Numeric(8, 2), nullable=False),
        sa.Column("balance_after", sa.Numeric(12, 2), nullable=False),
        sa.Column("shortfall_after", sa.Numeric(12, 2), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("wallet_entry_person", "wallet_entries", ["person_id", "line"])


def downgrade() -> None:
    for table in (
        "wallet_entries",
        "wallets",
        "board_rows",
        "reopenings",
        "tallies",
        "entries",
        "periods",
        "members",
        "rule_items",
        "rule_sets",
        "sites",
    ):
        op.drop_table(table)
