"""The chassis's own tables, the same in every service's database.

Row lifetime: `outbox` and `inbox` rows are kept for `KEPT_DAYS`, then purged in batches; nothing here is a record
of the domain.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

#: Days that published outbox rows and processed-message marks are kept: longer than a held event may wait.
KEPT_DAYS = 30

metadata = MetaData()

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("exchange", Text, nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("partitionkey", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("published_at", DateTime(timezone=True)),
    Column("is_unroutable", Boolean, nullable=False, server_default=text("false")),
    Index("outbox_pending", "id", postgresql_where=text("published_at IS NULL")),
    Index("outbox_published", "published_at", postgresql_where=text("published_at IS NOT NULL")),
)

event_sequence = Table(
    "event_sequence",
    metadata,
    Column("aggregate", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
)

inbox = Table(
    "inbox",
    metadata,
    Column("source", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("refused", Text, comment="code of the refusal, where a rule said no"),
    Column("processed_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Index("inbox_processed", "processed_at"),
)

held_event = Table(
    "held_event",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("state", Text, nullable=False, comment="deferred | in_transit | quarantined | done | dropped"),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("partitionkey", Text, nullable=False),
    Column("origin", Text, nullable=False, comment="login that the broker vouches for"),
    Column("exchange", Text, nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("cause", Text, nullable=False, comment="code of the fault"),
    Column("detail", Text, nullable=False),
    Column("errors", JSONB, nullable=False, server_default=text("'[]'")),
    Column("fingerprint", Text, nullable=False, comment="groups faults of one kind"),
    Column("sender", Text, nullable=False, comment="the login, or else the source that the message names"),
    Column("message_id", Text, nullable=False, comment="the id under which its sender knows it"),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    Column("not_before", DateTime(timezone=True)),
    Column("held_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("replayed_at", DateTime(timezone=True), comment="when its present budget began, if not when held"),
    Column("ended_at", DateTime(timezone=True)),
    Column("ended_by", Text),
    Column("reason", Text),
    Column("cell", Text, comment="whose hand-over an event in transit waits for"),
    Index("held_in_transit", "cell", "partitionkey", postgresql_where=text("state = 'in_transit'")),
    Index("held_deferred", "partitionkey", "id", postgresql_where=text("state = 'deferred'")),
    Index("held_state", "state", "id"),
    Index("held_message", "source", "event_id"),
    Index("held_sent_as", "message_id"),
    Index("held_group", "fingerprint", "sender", "id", postgresql_where=text("state = 'quarantined'")),
)

held_act = Table(
    "held_act",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("held_id", BigInteger, nullable=False),
    Column("command", Text, nullable=False, comment="edit | replay | drop"),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("by", Text, nullable=False),
    Column("reason", Text),
    Column("before", Text, comment="the body, where it was edited"),
    Column("after", Text),
    Index("held_act_held", "held_id", "id"),
    comment="what operators did: only appended",
)

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_digest", Text, nullable=False),
    Column("status", Integer),
    Column("body", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Index("idempotency_created", "created_at"),
)

clock_position = Table(
    "clock_position",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("stands_at", DateTime(timezone=True)),
)

cell = Table(
    "cell",
    metadata,
    Column("name", Text, primary_key=True),
    Column("areas", ARRAY(Text), nullable=False, comment="codes; none for home, which takes the rest"),
    Column("lanes", SmallInteger, nullable=False),
    Column("state", Text, nullable=False, comment="opening | open | closing | empty"),
    Column("is_shared", Boolean, nullable=False, comment="a process of it works on this database"),
    Column("mark", Text, comment="id of the present hand-over"),
    Column("awaiting", ARRAY(Text), comment="queues through which the mark has not passed yet"),
    Column("switched_at", DateTime(timezone=True), comment="when the broker's bindings were switched"),
    Column("marked_at", DateTime(timezone=True), comment="when the mark was last sent"),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
)
