"""Remembers the receipts: one for each message of a publisher, with the day on which it first came and how often."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    DateTime,
    Index,
    Table,
    Text,
    bindparam,
    cast,
    func,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.intake.metadata import metadata
from services.intake.publishers.model import day_of
from services.intake.receipts.model import Outcome, Receipt
from wangge.chassis.errors import Temporary
from wangge.chassis.rows import as_rows, insert_all
from wangge.chassis.transaction import Transaction

receipts = Table(
    "receipts",
    metadata,
    Column("publisher", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("report_code", Text),
    Column("of", Text),
    Column("errors", JSONB, nullable=False),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Column(
        "received_on", Date, nullable=False, comment="day in Asia/Shanghai of its first receipt; it stays"
    ),
    Column("times", BigInteger, nullable=False, comment="how often the message came"),
    Column("code", Text, comment="of a refused one: the limit that it met"),
    Column("retry_at", DateTime(timezone=True)),
    Index("receipt_manifest", "publisher", "received_on", "outcome", text('message_id COLLATE "C"')),
)

COLUMNS = [column.name for column in receipts.c]

_FIND = select(receipts).where(
    receipts.c.publisher == bindparam("login"), receipts.c.message_id == bindparam("id")
)

#: A receipt that is not final gives way; the day of the first one stays, and every one is counted.
_KEPT = {"publisher", "message_id", "received_on", "times"}
_PUT = insert_all(
    receipts,
    COLUMNS,
    "ON CONFLICT (publisher, message_id) DO UPDATE SET times = receipts.times + excluded.times, "
    + ", ".join(f'"{name}" = excluded."{name}"' for name in COLUMNS if name not in _KEPT)
    + " WHERE receipts.outcome IN ('quarantined', 'refused', 'dropped')",
)

_REPEAT = text(
    "UPDATE receipts SET times = receipts.times + again.times FROM "
    "unnest(CAST(:logins AS text[]), CAST(:ids AS text[]), CAST(:times AS bigint[])) "
    "AS again (publisher, message_id, times) "
    "WHERE receipts.publisher = again.publisher AND receipts.message_id = again.message_id"
)

Key = tuple[str, str]
"""A login and the id of a message."""


@dataclass(slots=True)
class Waiting:
    """What is written at the end of a transaction, in two statements: new receipts, and how often known ones came."""

    receipts: dict[Key, Receipt] = field(default_factory=dict)
    repeated: Counter[Key] = field(default_factory=Counter)


_waiting: WeakKeyDictionary[Transaction, Waiting] = WeakKeyDictionary()

_new: WeakKeyDictionary[Transaction, set[Key]] = WeakKeyDictionary()


def find(tx: Transaction, publisher: str, message_id: str) -> Receipt | None:
    """The receipt of a message."""
    key = (publisher, message_id)
    waiting = _waiting[tx].receipts.get(key) if tx in _waiting else None
    if waiting or key in _new.get(tx, ()):
        return waiting
    row = tx.execute(_FIND, {"login": publisher, "id": message_id}).mappings().first()
    return receipt_of(row) if row else None


def note_new(tx: Transaction, publisher: str, message_id: str) -> None:
    """This message has no receipt yet: until it is given one, `find` need not ask."""
    _new.setdefault(tx, set()).add((publisher, message_id))


def find_many(tx: Transaction, keys: Collection[Key]) -> dict[Key, Receipt]:
    """The receipts of those of these messages that have one."""
    logins, ids = [login for login, _ in keys], [message_id for _, message_id in keys]
    unnested = func.unnest(cast(logins, ARRAY(Text)), cast(ids, ARRAY(Text)))
    given = unnested.table_valued("login", "id").render_derived()
    wanted = select(given.c.login, given.c.id)
    rows = tx.execute(
        select(receipts).where(tuple_(receipts.c.publisher, receipts.c.message_id).in_(wanted))
    ).mappings()
    return {(row["publisher"], row["message_id"]): receipt_of(row) for row in rows}


def add(tx: Transaction, receipt: Receipt) -> None:
    """Write the receipt of a message that was taken, at the end of the transaction.

    Raises `Temporary` then, when another transaction answered the same message meanwhile: tried again, it is known.
    """
    _of(tx).receipts[receipt.publisher, receipt.message_id] = receipt
    _new.get(tx, set()).discard((receipt.publisher, receipt.message_id))


def repeat(tx: Transaction, receipt: Receipt) -> None:
    """Count that a message with this receipt came again, at the end of the transaction."""
    _of(tx).repeated[receipt.publisher, receipt.message_id] += 1


def put(tx: Transaction, *given: Receipt) -> None:
    """Write receipts now, except those of messages that have a final one already."""
    times = Counter((receipt.publisher, receipt.message_id) for receipt in given)
    last = {(receipt.publisher, receipt.message_id): receipt for receipt in given}
    _new.get(tx, set()).difference_update(last)
    tx.execute(_PUT, as_rows([_row(receipt, tx, times[key]) for key, receipt in last.items()]))


def _of(tx: Transaction) -> Waiting:
    if tx not in _waiting:
        _waiting[tx] = Waiting()
        tx.before_commit(lambda: _write(tx, _waiting.pop(tx)))
    return _waiting[tx]


def _write(tx: Transaction, waiting: Waiting) -> None:
    if waiting.receipts:
        rows = [_row(receipt, tx) for receipt in waiting.receipts.values()]
        if tx.execute(_PUT, as_rows(rows)).rowcount < len(rows):
            raise Temporary("the same message was answered meanwhile")
    if waiting.repeated:
        _count(tx, waiting.repeated)


def _count(tx: Transaction, repeated: Mapping[Key, int]) -> None:
    keys = sorted(repeated)  # two transactions that count the same ones do it in the same order
    tx.write(
        _REPEAT,
        {
            "logins": [login for login, _ in keys],
            "ids": [message_id for _, message_id in keys],
            "times": [repeated[key] for key in keys],
        },
    )


def _row(receipt: Receipt, tx: Transaction, times: int = 1) -> dict[str, Any]:
    return {
        "publisher": receipt.publisher,
        "message_id": receipt.message_id,
        "outcome": receipt.outcome,
        "report_code": receipt.report_code,
        "of": receipt.of,
        "errors": receipt.errors,
        "issued_at": tx.now,
        "received_on": day_of(tx.now),
        "times": times,
        "code": receipt.code,
        "retry_at": receipt.retry_at,
    }


def receipt_of(row: Any) -> Receipt:
    """The receipt in a row."""
    return Receipt(
        publisher=row["publisher"],
        message_id=row["message_id"],
        outcome=Outcome(row["outcome"]),
        report_code=row["report_code"],
        of=row["of"],
        errors=tuple((name, message) for name, message in row["errors"]),
        code=row["code"],
        retry_at=row["retry_at"],
    )
