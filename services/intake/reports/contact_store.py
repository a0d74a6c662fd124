"""Remembers how reporters are called and reached, in a table that can be erased without touching the reports."""

from sqlalchemy import Column, DateTime, Table, Text, insert, select

from services.intake.metadata import metadata
from services.intake.people.model import Contact
from wangge.chassis.transaction import Transaction

reporter_contacts = Table(
    "reporter_contacts",
    metadata,
    Column("subject_ref", Text, primary_key=True),
    Column("name", Text),
    Column("phone", Text),
    Column("mail", Text),
    Column("given_at", DateTime(timezone=True), nullable=False),
    comment="P2: erasable without touching the report",
)


def put(tx: Transaction, subject_ref: str, contact: Contact) -> None:
    """Keep how a reporter is called and reached."""
    row = {
        "subject_ref": subject_ref,
        "name": contact.name,
        "phone": contact.phone,
        "mail": contact.mail,
        "given_at": tx.now,
    }
    tx.execute(insert(reporter_contacts).values(row))


def name_of(tx: Transaction, subject_ref: str) -> str | None:
    """The name that a resident gave, kept out of what is told; others have none here."""
    if not subject_ref.startswith("resident:"):
        return None
    name = select(reporter_contacts.c.name).where(reporter_contacts.c.subject_ref == subject_ref)
    found: str | None = tx.execute(name).scalar()
    return found
