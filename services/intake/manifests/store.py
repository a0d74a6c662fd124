"""Reads manifests from the receipts: one index range for a day, never the whole table."""

from datetime import date
from typing import Any

from sqlalchemy import collate, select, text, tuple_

from services.intake.manifests.model import Manifest, Part
from services.intake.publishers.model import day_of
from services.intake.receipts.schemas import shown
from services.intake.receipts.store import receipt_of, receipts
from wangge.chassis.transaction import Transaction
from wangge.contracts.digests import digest_of

columns = receipts.c

#: The id as its bytes sort, whatever the database's language.
_ID = collate(columns.message_id, "C")

#: Counts and digests (`wangge.contracts.digests`) of a day by outcome, and of the whole of it in the row without an outcome.
_COUNTED = text(
    r"""
    SELECT outcome, count(*) AS messages, sum(times)::bigint AS received,
           encode(sha256(convert_to(string_agg(message_id, E'\n' ORDER BY message_id COLLATE "C"), 'UTF8')), 'hex')
               AS digest
    FROM receipts WHERE publisher = :publisher AND received_on = :day
    GROUP BY GROUPING SETS ((outcome), ()) HAVING count(*) > 0
    """
)


def manifest(tx: Transaction, publisher: str, day: date) -> Manifest:
    """The publisher's day as it stands now."""
    rows = tx.execute(_COUNTED, {"publisher": publisher, "day": day}).all()
    parts = [Part(row.outcome, row.messages, row.received, row.digest) for row in rows if row.outcome]
    whole = next((row for row in rows if row.outcome is None), None)
    return Manifest(
        publisher,
        day,
        messages=whole.messages if whole else 0,
        received=whole.received if whole else 0,
        digest=whole.digest if whole else digest_of([]),
        outcomes=sorted(parts, key=lambda part: part.outcome),
        is_over=day < day_of(tx.now),
    )


def messages(
    tx: Transaction,
    publisher: str,
    day: date,
    outcome: str | None,
    after: tuple[str, str] | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Messages of a day by outcome and id, after the pair `after`."""
    query = select(receipts).where(columns.publisher == publisher, columns.received_on == day)
    if outcome:
        query = query.where(columns.outcome == outcome)
    if after:
        query = query.where(tuple_(columns.outcome, _ID) > after)
    rows = tx.execute(query.order_by(columns.outcome, _ID).limit(limit)).mappings()
    return [{**shown(receipt_of(row)), "times": row["times"], "issued_at": row["issued_at"]} for row in rows]
