"""Sites with their catalogues, the directory's copies, cases with their parts, clocks, history and numbers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

INSTANT = sa.DateTime(timezone=True)
WORDS = sa.ARRAY(sa.Text)


def upgrade() -> None:
    _sites()
    _directory()
    _cases()
    _parts_of_cases()


def downgrade() -> None:
    for table in (
        "case_serials",
        "reporters",
        "flow_records",
        "clocks",
        "assignments",
        "cases",
        "roles",
        "people",
        "grids",
        "units",
        "categories",
        "sites",
    ):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_rewriting_history()")


def text(name: str, nullable: bool = False, **kwargs) -> sa.Column:
    return sa.Column(name, sa.Text, nullable=nullable, **kwargs)


def key(name: str, kind=sa.Text) -> sa.Column:
    return sa.Column(name, kind, primary_key=True)


def words(name: str) -> sa.Column:
    return sa.Column(name, WORDS, nullable=False)


def yes_no(name: str) -> sa.Column:
    return sa.Column(name, sa.Boolean, nullable=False)


def number(name: str, kind=sa.Integer) -> sa.Column:
    return sa.Column(name, kind, nullable=False)


def at(name: str, nullable: bool = True) -> sa.Column:
    return sa.Column(name, INSTANT, nullable=nullable)


def document(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, JSONB, nullable=nullable)


def of_case() -> sa.Column:
    return sa.Column("case_no", sa.Text, sa.ForeignKey("cases.case_no"), primary_key=True)


def _sites() -> None:
    op.create_table(
        "sites",
        key("site"),
        text("name"),
        text("area", unique=True),
        text("revision"),
        document("calendar"),
        document("stage_limits"),
        text("default_category"),
        document("grid_leads"),
        text("community_unit"),
        document("ladder"),
        words("default_checkers"),
    )
    op.create_table(
        "categories",
        key("site"),
        key("code"),
        text("name"),
        text("family"),
        text("limit"),
        text("clock_from"),
        text("lead", nullable=True),
        words("assist"),
        text("level"),
        text("closing_condition"),
        yes_no("on_spot_allowed"),
        yes_no("needs_check"),
        yes_no("pool"),
        words("units_allowed"),
    )


def _directory() -> None:
    op.create_table(
        "units",
        key("unit_id"),
        text("name"),
        text("kind"),
        text("area"),
        words("duties"),
        text("status"),
        number("sequence", sa.BigInteger),
    )
    op.create_table(
        "grids",
        key("area"),
        text("name"),
        text("kind"),
        text("status"),
        number("sequence", sa.BigInteger),
    )
    op.create_table(
        "people",
        key("person_id"),
        text("area"),
        text("unit_id", nullable=True),
        text("status"),
        number("sequence", sa.BigInteger),
    )
    op.create_table(
        "roles",
        key("person_id"),
        key("role"),
        key("area"),
        sa.Column("unit_id", sa.Text, primary_key=True, comment="empty: held for no unit"),
        text("status"),
        number("sequence", sa.BigInteger),
    )
    op.create_index("role_holders", "roles", ["role", "area"])


def _cases() -> None:
    op.create_table(
        "cases",
        key("case_no"),
        text("report_code", unique=True),
        text("site"),
        text("area"),
        text("channel"),
        text("urgency"),
        text("summary"),
        document("location", nullable=True),
        text("reporter"),
        yes_no("is_confidential"),
        text("category"),
        text("category_name"),
        text("level"),
        text("limit"),
        text("clock_from"),
        text("closing_condition"),
        yes_no("on_spot_allowed"),
        yes_no("needs_check"),
        yes_no("pool"),
        words("units_allowed"),
        at("received_at", nullable=False),
        at("filed_at", nullable=False),
        at("changed_at", nullable=False),
        text("state"),
        number("version"),
        number("round"),
        at("dispatched_at"),
        at("claimed_at"),
        at("started_at"),
        at("handled_at"),
        at("checked_at"),
        at("closed_at"),
        text("handler", nullable=True),
        words("hands"),
        words("helpers"),
        text("checker", nullable=True),
        yes_no("check_passed"),
        text("closer", nullable=True),
        yes_no("is_on_spot"),
        text("result", nullable=True),
        text("reply", nullable=True),
        number("rework_count"),
        number("reopen_count"),
        number("closing"),
        text("lead", nullable=True),
        words("units"),
        at("deadline"),
        at("next_due_at"),
    )
    op.create_index("cases_filed", "cases", ["filed_at", "case_no"])
    op.create_index("cases_state", "cases", ["state", "filed_at", "case_no"])
    op.create_index("cases_area", "cases", ["area", "filed_at"], postgresql_ops={"area": "text_pattern_ops"})
    op.create_index("cases_lead", "cases", ["lead", "filed_at", "case_no"])
    op.create_index("cases_units", "cases", ["units"], postgresql_using="gin")
    op.create_index("cases_deadline", "cases", ["deadline"])
    op.create_index(
        "cases_due", "cases", ["next_due_at"], postgresql_where=sa.text("next_due_at IS NOT NULL")
    )


def _parts_of_cases() -> None:
    op.create_table(
        "assignments",
        of_case(),
        key("round", sa.Integer),
        key("unit"),
        yes_no("is_lead"),
        text("state"),
        at("sent_at", nullable=False),
        at("claimed_at"),
        at("done_at"),
        text("result", nullable=True),
    )
    op.create_index(
        "assignment_one_lead",
        "assignments",
        ["case_no", "round"],
        unique=True,
        postgresql_where=sa.text("is_lead"),
    )
    op.create_table(
        "clocks",
        of_case(),
        key("stage"),
        key("number", sa.Integer),
        text("limit"),
        at("started_at", nullable=False),
        at("deadline", nullable=False),
        at("finished_at"),
        at("overdue_at"),
    )
    op.create_table(
        "flow_records",
        of_case(),
        key("seq", sa.Integer),
        text("op"),
        text("from_state", nullable=True),
        text("to_state"),
        text("actor"),
        text("unit", nullable=True),
        text("opinion"),
        text("receiver", nullable=True),
        document("evidence"),
        at("at", nullable=False),
    )
    op.execute(
        """
        CREATE FUNCTION refuse_rewriting_history() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'flow_record is only appended to';
        END $$;
        CREATE TRIGGER flow_record_is_history BEFORE UPDATE OR DELETE ON flow_records
            FOR EACH ROW EXECUTE FUNCTION refuse_rewriting_history();
        """
    )
    op.create_table(
        "reporters",
        key("of_report"),
        key("report_code"),
        text("ref"),
        yes_no("wants_reply"),
        yes_no("is_confidential"),
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
    )
    op.create_table("case_serials", key("county"), key("day", sa.Date), number("last"))
