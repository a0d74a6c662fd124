"""Sites, units, grids, people, roles, publishers, categories."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

TABLES = (
    "site",
    "directory_version",
    "unit",
    "grid",
    "person",
    "person_contact",
    "role_assignment",
    "publisher",
    "category",
)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "categories",
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("keywords", JSONB, nullable=False),
        sa.Column("urgency", sa.Text),
        sa.Column("is_on_spot", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("site", "code"),
    )
    op.create_table(
        "directory_versions",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "grids",
        sa.Column("area", sa.Text, nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("households", sa.Integer()),
        sa.Column("required_roles", JSONB, nullable=False),
        sa.Column("boundary", JSONB, nullable=False),
        sa.Column("address_keywords", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("area"),
    )
    op.create_index("grid_site", "grids", ["site"])
    op.create_table(
        "people",
        sa.Column("person_id", sa.Text, nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("area", sa.Text, nullable=False),
        sa.Column("unit_id", sa.Text),
        sa.Column("is_party_member", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("person_id"),
    )
    op.create_index("person_site", "people", ["site"])
    op.create_table(
        "person_contacts",
        sa.Column("person_id", sa.Text, nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("phone", sa.Text),
        sa.Column("mail", sa.Text),
        sa.PrimaryKeyConstraint("person_id"),
        comment="P2: read only where the work needs it, erasable without touching the record",
    )
    op.create_index("person_contact_site", "person_contacts", ["site"])
    op.create_table(
        "publishers",
        sa.Column("login", sa.Text, nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("channels", JSONB, nullable=False),
        sa.Column("areas", JSONB, nullable=False),
        sa.Column("is_user_id_required", sa.Boolean(), nullable=False),
        sa.Column("is_auto_accepted", sa.Boolean(), nullable=False),
        sa.Column("api_key_sha256", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("login"),
    )
    op.create_index("publisher_site", "publishers", ["site"])
    op.create_index(
        "publisher_source",
        "publishers",
        ["source"],
        unique=True,
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_table(
        "role_assignments",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("person_id", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("area", sa.Text, nullable=False),
        sa.Column("unit_id", sa.Text, nullable=False, comment="empty: for no unit"),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "role_assignment_held",
        "role_assignments",
        ["person_id", "role", "area", "unit_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("role_assignment_site", "role_assignments", ["site"])
    op.create_table(
        "sites",
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("area", sa.Text, nullable=False),
        sa.Column("revision", sa.Text, nullable=False),
        sa.Column("lng", sa.Float(), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("default_category", sa.Text, nullable=False),
        sa.Column("auto_accept", JSONB, nullable=False),
        sa.Column("rejections", JSONB, nullable=False),
        sa.Column("near_metres", sa.Integer(), nullable=False),
        sa.Column("near_hours", sa.Integer(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("site"),
        sa.UniqueConstraint("area"),
    )
    op.create_table(
        "units",
        sa.Column("unit_id", sa.Text, nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("area", sa.Text, nullable=False),
        sa.Column("parent", sa.Text),
        sa.Column("duties", JSONB, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("unit_id"),
    )
    op.create_index("unit_site", "units", ["site"])
    op.execute("INSERT INTO directory_versions (id, version) VALUES (1, 0)")


def downgrade() -> None:
    """Drop the tables."""
    for table in reversed(TABLES):
        op.drop_table(table)
