"""The tables of the hop's own noun, the same for every implementation; inbox and outbox are the chassis's."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Float,
    Identity,
    Index,
    MetaData,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

reports = Table(
    "reports",
    metadata,
    Column("code", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("external_no", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("title", Text),
    Column("text", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("urgency", Text, nullable=False),
    Column("area", Text, nullable=False),
    Column("lng", Float),
    Column("lat", Float),
    Column("address", Text),
    Column("evidence", JSONB, nullable=False),
    Column("reporter_ref", Text, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("version", SmallInteger, nullable=False),
    Index("report_external_no", "sender", "external_no", unique=True),
    Index("report_status", "status", "received_at", "code"),
    Index("report_area", "area", "received_at", "code", postgresql_ops={"area": "text_pattern_ops"}),
)

report_moves = Table(
    "report_moves",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("report_code", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("report_moves_of", "report_code", "id"),
)
