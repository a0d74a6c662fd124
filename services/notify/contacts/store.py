"""Remembers who has which channels; the addresses (P2) lie in a table of their own, so that they can be erased.

Guarantee: of the contacts that somebody shared, the newest one (by the sequence of its aggregate) stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Row,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert

from services.notify.contacts.model import SHARED, Address, Channel, Contact, preferred
from services.notify.metadata import metadata
from services.notify.remembering import forget, remembered
from wangge.chassis.transaction import Transaction

#: Seconds after which a fact that was told together with a contact has been handled too, on whatever lane it came.
CATCH_UP_SECONDS = 3

#: New contacts that one turn takes.
PORTION = 100

contacts = Table(
    "contacts",
    metadata,
    Column("ref", Text, primary_key=True),
    Column("origin", Text, primary_key=True, comment="site:<site>, or shared by the person"),
    Column("channels", ARRAY(Text), nullable=False),
    Column("sequence", BigInteger, nullable=False, comment="of the fact that shared it"),
    Column(
        "catch_up_at", DateTime(timezone=True), comment="real time: when to look for what was told without it"
    ),
    Index("contacts_catch_up", "catch_up_at", postgresql_where=text("catch_up_at IS NOT NULL")),
)

addresses = Table(
    "contact_addresses",
    metadata,
    Column("ref", Text, primary_key=True),
    Column("origin", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("address", Text, nullable=False, comment="P2"),
    Column("secret", Text),
    ForeignKeyConstraint(["ref", "origin"], ["contacts.ref", "contacts.origin"], ondelete="CASCADE"),
    comment="P2: erased with its contact",
)


_CHANNELS = text("SELECT ref, channels FROM contacts WHERE ref = ANY(CAST(:refs AS text[]))")

_ADDRESSES = text(
    "SELECT ref, channel, address, secret, origin FROM contact_addresses JOIN "
    "unnest(CAST(:refs AS text[]), CAST(:channels AS text[])) AS wanted (ref, channel) USING (ref, channel)"
)


def channels_of(tx: Transaction, refs: Collection[str]) -> dict[str, set[Channel]]:
    """The channels with an address of each of the references."""
    return remembered(tx, "channels", refs, lambda missing: _channels(tx, missing), set())


def _channels(tx: Transaction, refs: Collection[str]) -> dict[str, set[Channel]]:
    found: dict[str, set[Channel]] = {}
    for row in tx.execute(_CHANNELS, {"refs": list(refs)}):
        found.setdefault(row.ref, set()).update(Channel(channel) for channel in row.channels)
    return found


def find(tx: Transaction, ref: str) -> Contact:
    """Somebody with all their addresses; none where nothing is known."""
    rows = tx.execute(
        select(addresses).where(addresses.c.ref == ref).order_by(addresses.c.channel, addresses.c.origin)
    )
    return Contact(ref, tuple(_address(row) for row in rows))


def addresses_of(
    tx: Transaction, wanted: Collection[tuple[str, Channel]]
) -> dict[tuple[str, Channel], Address]:
    """The address to use for each (reference, channel) that has one."""
    rows = tx.execute(
        _ADDRESSES, {"refs": [ref for ref, _ in wanted], "channels": [channel for _, channel in wanted]}
    )
    found: dict[tuple[str, Channel], list[Address]] = {}
    for row in rows:
        found.setdefault((row.ref, Channel(row.channel)), []).append(_address(row))
    return {key: chosen for key, known in found.items() if (chosen := preferred(known)) is not None}


def replace(tx: Transaction, site: str, wanted: Collection[Contact]) -> int:
    """Put these contacts in the place of the site's; answers how many were added, changed or removed."""
    origin = f"site:{site}"
    before = _of_origin(tx, origin)
    changed = [contact for contact in wanted if before.get(contact.ref) != set(contact.addresses)]
    gone = before.keys() - {contact.ref for contact in wanted}
    _drop(tx, origin, [*gone, *(contact.ref for contact in changed)])
    _add(tx, origin, changed, sequence=0)
    forget(tx)
    return len(changed) + len(gone)


def share(tx: Transaction, contact: Contact, sequence: int) -> None:
    """Keep what somebody shared in the place of what they shared before, unless a newer fact is known."""
    catch_up_at = func.clock_timestamp() + timedelta(seconds=CATCH_UP_SECONDS)
    statement = upsert(contacts).values(**_row(SHARED, contact, sequence), catch_up_at=catch_up_at)
    newer = statement.on_conflict_do_update(
        index_elements=["ref", "origin"],
        set_={name: statement.excluded[name] for name in ("channels", "sequence", "catch_up_at")},
        where=contacts.c.sequence < statement.excluded.sequence,
    )
    if tx.execute(newer.returning(contacts.c.ref)).first():
        tx.execute(delete(addresses).where(addresses.c.ref == contact.ref, addresses.c.origin == SHARED))
        _add_addresses(tx, SHARED, [contact])
        forget(tx)


def take_new(tx: Transaction) -> dict[str, set[Channel]]:
    """A portion of those who shared a contact a while ago, with their channels; each is taken once."""
    due = (
        select(contacts.c.ref)
        .where(contacts.c.catch_up_at <= func.clock_timestamp())
        .order_by(contacts.c.catch_up_at)
        .limit(PORTION)
        .with_for_update(skip_locked=True)
    )
    taken = (
        update(contacts)
        .where(contacts.c.origin == SHARED, contacts.c.ref.in_(due))
        .values(catch_up_at=None)
        .returning(contacts.c.ref, contacts.c.channels)
    )
    return {row.ref: {Channel(channel) for channel in row.channels} for row in tx.execute(taken)}


def _of_origin(tx: Transaction, origin: str) -> dict[str, set[Address]]:
    found: dict[str, set[Address]] = {}
    for row in tx.execute(select(addresses).where(addresses.c.origin == origin)):
        found.setdefault(row.ref, set()).add(_address(row))
    return found


def _drop(tx: Transaction, origin: str, refs: Collection[str]) -> None:
    if refs:
        tx.execute(delete(contacts).where(contacts.c.origin == origin, contacts.c.ref.in_(refs)))


def _add(tx: Transaction, origin: str, added: Collection[Contact], sequence: int) -> None:
    if added:
        tx.execute(insert(contacts), [_row(origin, contact, sequence) for contact in added])
        _add_addresses(tx, origin, added)


def _add_addresses(tx: Transaction, origin: str, added: Iterable[Contact]) -> None:
    rows = [
        {
            "ref": contact.ref,
            "origin": origin,
            "channel": each.channel,
            "address": each.address,
            "secret": each.secret,
        }
        for contact in added
        for each in contact.addresses
    ]
    if rows:
        tx.execute(insert(addresses), rows)


def _row(origin: str, contact: Contact, sequence: int) -> dict[str, Any]:
    channels = sorted(each.channel.value for each in contact.addresses)
    return {"ref": contact.ref, "origin": origin, "channels": channels, "sequence": sequence}


def _address(row: Row[Any]) -> Address:
    return Address(Channel(row.channel), row.address, row.secret, row.origin)
