"""Asks once, for all incidents of a transaction, what each of them would ask by itself: whether it is known already.

Guarantee: only what is not there is believed; what is there is read when it is needed, as it is then. Limit: a report or
receipt that somebody commits meanwhile is met at the end, by its key: `Temporary`, and tried again it is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import text

from services.intake.directory import DirectoryCache
from services.intake.publishers.model import PUBLISHER, identify
from services.intake.receipts import store as receipts
from services.intake.reports import store as reports
from wangge.chassis.auth import Principal
from wangge.chassis.errors import Permanent
from wangge.chassis.transaction import Transaction
from wangge.contracts.envelope import Event

REPORTED = "incident.reported.v1"

_FORESEE = text(
    "SELECT (SELECT version FROM directory_versions) AS version, "
    "EXISTS (SELECT FROM receipts WHERE publisher = given.login AND message_id = given.message) AS has_receipt, "
    "EXISTS (SELECT FROM reports WHERE sender = given.sender AND external_no = given.number) AS has_report "
    "FROM unnest(CAST(:logins AS text[]), CAST(:messages AS text[]), CAST(:senders AS text[]), "
    "CAST(:numbers AS text[])) WITH ORDINALITY AS given (login, message, sender, number, n) ORDER BY n"
)


@dataclass(frozen=True, slots=True)
class Coming:
    """A report about to be brought: in which message of whom, under which number of whose. None: it has none."""

    login: str | None
    message_id: str | None
    sender: str | None
    number: str | None

    @property
    def is_readable(self) -> bool:
        """Whether the id and the number are text, if they are anything."""
        return all(isinstance(one, str | None) for one in (self.message_id, self.number))


def foresee(tx: Transaction, directory: DirectoryCache, coming: Sequence[Coming]) -> None:
    """Know the directory's version, and which of these reports and their messages are not known yet."""
    if not coming:
        return
    given = {
        "logins": [one.login for one in coming],
        "messages": [one.message_id for one in coming],
        "senders": [one.sender for one in coming],
        "numbers": [one.number for one in coming],
    }
    rows = tx.execute(_FORESEE, given).all()
    directory.seen(tx, rows[0].version)
    for row, one in zip(rows, coming, strict=True):
        if one.login and one.message_id and not row.has_receipt:
            receipts.note_new(tx, one.login, one.message_id)
        if one.sender and one.number and not row.has_report:
            reports.note_new(tx, one.sender, one.number)


def foresee_lines(
    tx: Transaction, directory: DirectoryCache, who: Principal, bodies: Iterable[bytes]
) -> None:
    """`foresee` for what somebody brings as lines, bare or as whole messages; what cannot be read is left out."""
    coming = []
    for body in bodies:
        try:
            document = orjson.loads(body)
            is_whole = "specversion" in document
            data, message_id = (document["data"], document["id"]) if is_whole else (document, None)
            coming += _coming(directory, who, data.get("external_no"), message_id)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    foresee(tx, directory, coming)


def foresee_bodies(
    tx: Transaction, directory: DirectoryCache, brought: Sequence[tuple[Principal, Mapping[str, Any]]]
) -> None:
    """`foresee` for what is brought by several at once, each with a report's body."""
    foresee(
        tx,
        directory,
        [one for who, body in brought for one in _coming(directory, who, body.get("external_no"), None)],
    )


def _coming(directory: DirectoryCache, who: Principal, number: Any, message_id: Any) -> list[Coming]:
    """What a publisher brings over HTTP; nothing, if it is no publisher that does."""
    latest = directory.latest
    publisher = latest.publishers.of(who.id) if latest and PUBLISHER in who.roles else None
    one = publisher and Coming(publisher.login, message_id, publisher.ref, number)
    return [one] if one and one.is_readable else []


def foresee_messages(tx: Transaction, directory: DirectoryCache, events: Sequence[Event]) -> None:
    """`foresee` for the incidents among these messages of publishers, as far as we know who sent them."""
    latest = directory.latest
    if latest is None:
        return
    coming = []
    for event in events:
        if event.type != REPORTED:
            continue
        try:
            publisher = identify(event.origin, event.source, latest.publishers)
        except Permanent:
            continue  # told when it is brought
        coming.append(Coming(publisher.login, event.id, publisher.ref, event.data.get("external_no")))
    foresee(tx, directory, coming)
