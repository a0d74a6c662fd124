"""Remembers messages and every try to deliver them.

Guarantee: at most one message for an event, a recipient and a channel, however often the event comes. A message that is
taken for delivery is nobody else's until its lease ends. Limit: a try that outlives its lease may be repeated.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    ForeignKey,
    Index,
    Row,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    delete,
    func,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from services.notify.contacts.model import Channel
from services.notify.messages.model import OPEN, Message, MessageState, unknown_message
from services.notify.metadata import metadata
from wangge.chassis.ids import earliest_id
from wangge.chassis.newest import newest, way
from wangge.chassis.rows import as_rows
from wangge.chassis.scopes import inside, places
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

#: Due messages that are looked at to find some whose recipients have not too many under way already.
LOOKED_AT = 200

#: Days that a message is kept (domain: retention of messages, 1 year).
KEPT_DAYS = 365

#: Messages that one turn of the purge removes.
PURGE = 1000

#: Minutes for which a message still goes out by an address that came to be known after it was written.
RECENT_MINUTES = 5

#: Minutes by which the clocks of processes may differ where ids are compared with instants.
SLACK_MINUTES = 1

#: Unread messages are counted up to this many: further ones make no difference to anybody.
MOST_UNREAD = 1000

#: Digits of the areas by which lists of messages are indexed.
COMMUNITY_DIGITS = 12

IS_UNREAD = "channel = 'inbox' AND state = 'delivered'"

IS_OPEN = text("state IN ('queued', 'failed', 'sent')")

messages = Table(
    "messages",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("case_no", Text),
    Column("report_code", Text),
    Column("subjects", ARRAY(Text), nullable=False, comment="correlation id, case number, report code"),
    Column("area", Text, nullable=False),
    Column("site", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("is_urgent", Boolean, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", SmallInteger, nullable=False),
    Column("not_before", DateTime(timezone=True), nullable=False, comment="by the rules' clock"),
    Column(
        "due_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
        comment="real time: of the next try; of a sent message the end of its lease",
    ),
    Column("created_at", DateTime(timezone=True), nullable=False, comment="by the rules' clock"),
    Column("delivered_at", DateTime(timezone=True), comment="by the rules' clock"),
    Column("read_at", DateTime(timezone=True), comment="by the rules' clock"),
    Column("last_error", Text),
    UniqueConstraint("event_id", "recipient", "channel", name="messages_once"),
    Index("messages_due", "not_before", "due_at", postgresql_where=IS_OPEN),
    Index("messages_subjects", "subjects", postgresql_using="gin"),
    Index("messages_recipient", "recipient", "message_id"),
    Index(
        "messages_undelivered",
        "state",
        "message_id",
        postgresql_where=text("state NOT IN ('delivered', 'read')"),
    ),
    Index("messages_unread", "recipient", "message_id", postgresql_where=text(IS_UNREAD)),
    Index("messages_community", text(f"left(area, {COMMUNITY_DIGITS})"), "message_id"),
    Index("messages_created", "created_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("message_id", Text, ForeignKey("messages.message_id", ondelete="CASCADE"), primary_key=True),
    Column("attempt", SmallInteger, primary_key=True),
    Column("begun_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("ended_at", DateTime(timezone=True)),
    Column("outcome", Text, comment="delivered | failed; empty while under way or never known"),
    Column("detail", Text),
    comment="every try, in real time",
)

COLUMNS = [messages.c[field.name] for field in fields(Message)]

OUTCOMES = {MessageState.SENT: None, MessageState.DELIVERED: "delivered"}
"""What is said of the try that a message in this state is in, or has been through."""

_NAMES = ", ".join([*(column.name for column in COLUMNS), "subjects"])

_ADD = text(
    f"INSERT INTO messages ({_NAMES}, due_at) SELECT {_NAMES}, clock_timestamp() "  # noqa: S608 (our own columns)
    "+ CASE WHEN state = 'sent' THEN CAST(:lease AS interval) ELSE interval '0' END "
    "FROM jsonb_populate_recordset(NULL::messages, CAST(:rows AS jsonb)) "
    "ON CONFLICT ON CONSTRAINT messages_once DO NOTHING RETURNING message_id"
)

_TRY = text(
    "INSERT INTO deliveries (message_id, attempt, ended_at, outcome) "
    "SELECT message_id, attempt, CASE WHEN outcome IS NOT NULL THEN clock_timestamp() END, outcome "
    "FROM jsonb_populate_recordset(NULL::deliveries, CAST(:rows AS jsonb))"
)

_TAKE = text(
    "UPDATE messages SET state = 'sent', attempts = attempts + 1, "
    "due_at = clock_timestamp() + CAST(:lease AS interval) WHERE message_id = ANY(CAST(:ids AS text[]))"
)

_TOLD = (
    "FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS told (message_id text, attempt smallint, state text, "
    "not_before timestamptz, delivered_at timestamptz, last_error text, outcome text, detail text, seconds float8)"
)

_SETTLE_TRIES = text(
    "UPDATE deliveries SET ended_at = clock_timestamp(), outcome = told.outcome, detail = told.detail "  # noqa: S608 (constants of ours)
    f"{_TOLD} WHERE deliveries.message_id = told.message_id AND deliveries.attempt = told.attempt"
)

_SETTLE = text(
    "UPDATE messages SET state = told.state, not_before = told.not_before, delivered_at = told.delivered_at, "  # noqa: S608 (as above)
    "last_error = told.last_error, due_at = clock_timestamp() + make_interval(secs => told.seconds) "
    f"{_TOLD} WHERE messages.message_id = told.message_id AND messages.attempts = told.attempt "
    "AND messages.state = 'sent' RETURNING messages.message_id"
)


@dataclass(frozen=True, slots=True)
class Visible:
    """Whose messages somebody may see: their own, and those of the areas that are theirs to oversee."""

    recipients: tuple[str, ...]
    areas: tuple[Area, ...] = ()


def add(tx: Transaction, written: Collection[Message], lease: timedelta) -> set[str]:
    """Keep the messages that are not there yet; answers their ids. Those on their way are waited for until `lease`."""
    if not written:
        return set()
    rows = {**as_rows([_row(message) for message in written]), "lease": lease}
    new = set(tx.execute(_ADD, rows).scalars())
    tries = [
        {"message_id": message.message_id, "attempt": message.attempts, "outcome": OUTCOMES[message.state]}
        for message in written
        if message.state in OUTCOMES and message.message_id in new
    ]
    if tries:
        tx.write(_TRY, as_rows(tries))
    return new


def find(tx: Transaction, message_id: str, visible: Visible, lock: bool = False) -> Message:
    """The message. Raises `NotFound`, also for one that the asker may not see."""
    query = select(*COLUMNS).where(messages.c.message_id == message_id, _sees(visible))
    row = tx.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise unknown_message(message_id)
    return _message(row)


def deliveries_of(tx: Transaction, message_id: str) -> list[Mapping[str, Any]]:
    """Every try, the first one first."""
    query = select(deliveries).where(deliveries.c.message_id == message_id).order_by(deliveries.c.attempt)
    return [dict(row) for row in tx.execute(query).mappings()]


def page(
    tx: Transaction, visible: Visible, filters: Mapping[str, Any], after: Sequence[Any] | None, limit: int
) -> list[Message]:
    """Messages, the newest first, after the one with this id."""
    named = {"recipient": "recipient", "event": "event_id", "state": "state", "channel": "channel"}
    wanted = [
        messages.c[column] == filters[name] for name, column in named.items() if filters[name] is not None
    ]
    if filters["correlation"] is not None:
        wanted.append(messages.c.subjects.contains([filters["correlation"]]))
    is_one_matter = filters["correlation"] is not None or filters["event"] is not None
    seen = [_sees(visible)] if is_one_matter else _ways_of_seeing(visible)
    return _newest(tx, [[each, *wanted] for each in seen], after, limit)


def inbox(
    tx: Transaction, recipients: Sequence[str], after: Sequence[Any] | None, limit: int
) -> list[Message]:
    """Inbox messages of these recipients, unread first, then the newest first; after (is read, id)."""
    was_read, last = (bool(after[0]), [after[1]]) if after else (False, None)
    found = [] if was_read else _inbox(tx, recipients, MessageState.DELIVERED, last, limit)
    if len(found) < limit:
        behind = last if was_read else None
        found += _inbox(tx, recipients, MessageState.READ, behind, limit - len(found))
    return found


def _inbox(
    tx: Transaction, recipients: Sequence[str], state: MessageState, after: Sequence[Any] | None, limit: int
) -> list[Message]:
    kept = (messages.c.channel == Channel.INBOX, messages.c.state == state)
    return _newest(tx, [[messages.c.recipient == each, *kept] for each in recipients], after, limit)


def _newest(
    tx: Transaction,
    conditions: Sequence[Sequence[ColumnElement[bool]]],
    after: Sequence[Any] | None,
    limit: int,
) -> list[Message]:
    keys = (messages.c.message_id,)
    last = None if after is None else (str(after[0]),)
    ways = [way(select(*keys), keys, each, last, limit) for each in conditions]
    return [_message(row) for row in tx.execute(newest(messages, COLUMNS, ways, limit))]


def recent(tx: Transaction, recipients: Collection[str]) -> list[Message]:
    """What was lately put into the inboxes of these recipients."""
    since = datetime.now(UTC) - timedelta(minutes=RECENT_MINUTES + SLACK_MINUTES)
    query = select(*COLUMNS).where(
        messages.c.recipient.in_(recipients),
        messages.c.message_id > earliest_id(since),
        messages.c.channel == Channel.INBOX,
        messages.c.due_at > func.clock_timestamp() - timedelta(minutes=RECENT_MINUTES),
    )
    return [_message(row) for row in tx.execute(query)]


def unread(tx: Transaction, recipients: Sequence[str]) -> int:
    """How many inbox messages of these recipients are not read, up to `MOST_UNREAD`."""
    some = (
        select(messages.c.message_id)
        .where(messages.c.recipient.in_(recipients), text(IS_UNREAD))
        .limit(MOST_UNREAD)
        .subquery()
    )
    return int(tx.execute(select(func.count()).select_from(some)).scalar_one())


def due(tx: Transaction, busy: Collection[tuple[str, Channel]]) -> list[Message]:
    """Locked: messages that may go now, the longest waiting first, without those to recipients who are busy."""
    query = (
        select(*COLUMNS)
        .where(
            messages.c.state.in_(OPEN),
            messages.c.not_before <= tx.now,
            messages.c.due_at <= func.clock_timestamp(),
        )
        .order_by(messages.c.not_before, messages.c.due_at)
        .limit(LOOKED_AT)
        .with_for_update(skip_locked=True)
    )
    if busy:
        query = query.where(tuple_(messages.c.recipient, messages.c.channel).not_in(list(busy)))
    return [_message(row) for row in tx.execute(query)]


def take(tx: Transaction, sent: Collection[Message], lease: timedelta) -> None:
    """Keep that these go out now, and until when their outcome is waited for."""
    if sent:
        tx.write(_TAKE, {"ids": [message.message_id for message in sent], "lease": lease})
        tries = [{"message_id": each.message_id, "attempt": each.attempts, "outcome": None} for each in sent]
        tx.write(_TRY, as_rows(tries))


@dataclass(frozen=True, slots=True)
class Settled:
    """A message after a try, what is said of the try, and how long to wait before the next one."""

    message: Message
    detail: str
    next_try: timedelta = timedelta()


def settle(tx: Transaction, settled: Collection[Settled]) -> set[str]:
    """Keep what came of these tries; answers whose. The others' lease ended and somebody else tries: they stay."""
    rows = as_rows(
        [
            {
                "message_id": each.message.message_id,
                "attempt": each.message.attempts,
                "state": each.message.state,
                "not_before": each.message.not_before,
                "delivered_at": each.message.delivered_at,
                "last_error": each.message.last_error,
                "outcome": OUTCOMES.get(each.message.state, "failed"),
                "detail": each.detail,
                "seconds": each.next_try.total_seconds(),
            }
            for each in settled
        ]
    )
    tx.write(_SETTLE_TRIES, rows)
    return set(tx.execute(_SETTLE, rows).scalars())


def save(tx: Transaction, message: Message) -> None:
    """Keep the state of a message that was found locked."""
    values = {name: getattr(message, name) for name in ("state", "read_at", "last_error")}
    tx.execute(update(messages).where(messages.c.message_id == message.message_id).values(**values))


def purge(tx: Transaction) -> int:
    """Remove a portion of the messages past their keeping time, with their tries; answers its size."""
    old = (
        select(messages.c.message_id)
        .where(messages.c.created_at < tx.now - timedelta(days=KEPT_DAYS), messages.c.state.not_in(OPEN))
        .limit(PURGE)
    )
    return tx.execute(delete(messages).where(messages.c.message_id.in_(old))).rowcount


def _sees(visible: Visible) -> ColumnElement[bool]:
    return or_(*_ways_of_seeing(visible))


def _ways_of_seeing(visible: Visible) -> list[ColumnElement[bool]]:
    """Each of these by itself is found in the order of an index."""
    there = [inside(messages.c.area, area, (COMMUNITY_DIGITS,)) for area in places(visible.areas)]
    return [*(messages.c.recipient == recipient for recipient in visible.recipients), *there]


def _row(message: Message) -> dict[str, Any]:
    row = {field.name: getattr(message, field.name) for field in fields(Message)}
    return {**row, "subjects": message.subjects}


def _message(row: Row[Any]) -> Message:
    values = dict(row._mapping)  # noqa: SLF001 (the documented way to a row's columns by name)
    return Message(**{**values, "channel": Channel(row.channel), "state": MessageState(row.state)})
