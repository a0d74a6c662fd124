"""What lists of cases read, kept by the database; the indexes that it stands in for go.

In the database and not in the store, so that a process of the release before keeps it, too, while replicas are replaced.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

IS_OPEN = "state NOT IN ('archived', 'cancelled', 'closed', 'forced_closed', 'transferred')"

KEYS = """
CREATE FUNCTION case_sight_keys(area text, units text[], lead text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT array_agg(DISTINCT key) FROM (
    SELECT left(area, digits) FROM unnest(ARRAY[12, 15]) AS digits WHERE length(area) >= digits
    UNION ALL SELECT 'unit:' || unit FROM unnest(units) AS unit
    UNION ALL SELECT 'lead:' || lead WHERE lead IS NOT NULL
  ) AS keys(key)
$$
"""

IS_OPEN_STATE = f"""
CREATE FUNCTION case_is_open(state text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT {IS_OPEN} $$
"""

KEEP = """
CREATE FUNCTION keep_case_sights() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  keys text[] := case_sight_keys(NEW.area, NEW.units, NEW.lead);
  stays boolean;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    stays := case_is_open(OLD.state) = case_is_open(NEW.state) AND OLD.filed_at = NEW.filed_at;
    DELETE FROM case_sights
    WHERE key = ANY (case_sight_keys(OLD.area, OLD.units, OLD.lead)) AND is_open = case_is_open(OLD.state)
      AND filed_at = OLD.filed_at AND case_no = OLD.case_no AND NOT (stays AND key = ANY (keys));
  END IF;
  INSERT INTO case_sights (key, is_open, filed_at, case_no)
  SELECT key, case_is_open(NEW.state), NEW.filed_at, NEW.case_no FROM unnest(keys) AS key
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$
"""

FILED = "CREATE TRIGGER case_filed AFTER INSERT ON cases FOR EACH ROW EXECUTE FUNCTION keep_case_sights()"

MOVED = """
CREATE TRIGGER case_moved AFTER UPDATE ON cases FOR EACH ROW
WHEN (case_is_open(OLD.state) <> case_is_open(NEW.state) OR OLD.area <> NEW.area OR OLD.units <> NEW.units
  OR OLD.lead IS DISTINCT FROM NEW.lead OR OLD.filed_at <> NEW.filed_at)
EXECUTE FUNCTION keep_case_sights()
"""

FILL = """
INSERT INTO case_sights (key, is_open, filed_at, case_no)
SELECT unnest(case_sight_keys(area, units, lead)), case_is_open(state), filed_at, case_no FROM cases
"""


def upgrade() -> None:
    op.create_table(
        "case_sights",
        sa.Column(
            "key", sa.Text, nullable=False, comment="area code of 12 or 15 digits, unit:<id> or lead:<id>"
        ),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("case_no", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", "is_open", "filed_at", "case_no"),
        comment="kept by a trigger on cases",
    )
    for statement in (KEYS, IS_OPEN_STATE, KEEP, FILED, MOVED, FILL):
        op.execute(statement)
    for name in ("state", "area", "lead", "units", "deadline"):
        op.drop_index(f"cases_{name}", "cases")
    op.create_index(
        "cases_open", "cases", ["state", "filed_at", "case_no", "deadline"], postgresql_where=sa.text(IS_OPEN)
    )


def downgrade() -> None:
    op.drop_index("cases_open", "cases")
    op.create_index("cases_state", "cases", ["state", "filed_at", "case_no"])
    op.create_index("cases_area", "cases", ["area", "filed_at"], postgresql_ops={"area": "text_pattern_ops"})
    op.create_index("cases_lead", "cases", ["lead", "filed_at", "case_no"])
    op.create_index("cases_units", "cases", ["units"], postgresql_using="gin")
    op.create_index("cases_deadline", "cases", ["deadline"])
    for trigger in ("case_filed", "case_moved"):
        op.execute(f"DROP TRIGGER {trigger} ON cases")
    for function in ("keep_case_sights()", "case_is_open(text)", "case_sight_keys(text, text[], text)"):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("case_sights")
