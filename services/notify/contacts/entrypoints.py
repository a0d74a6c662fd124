"""Hears what reporters left to be answered by, and shows an administrator who can be reached how."""

from __future__ import annotations

from typing import Any

from services.notify.contacts import store
from services.notify.contacts.model import Contact
from services.notify.contacts.schemas import ContactAnswer, addresses_of
from wangge.chassis.http import Ask, route
from wangge.chassis.seal import unseal
from wangge.chassis.service import on
from wangge.chassis.transaction import Transaction
from wangge.contracts.envelope import Event


class ContactEntrypoints:
    """Contacts of people outside the site pack, and questions about all of them."""

    app: Any

    @on("contact.shared.v1")
    def on_contact_shared(self, tx: Transaction, event: Event) -> None:
        """Open what was sealed for us and keep it in the place of what was shared before; what is empty erases.

        Idempotency key: subject and sequence. Raises `Permanent` (`seal.broken`) for what was sealed to another key.
        """
        opened = unseal(self.app.settings.keys_dir, "notify", event.data["sealed"])
        contact = Contact(event.data["subject_ref"], tuple(addresses_of(opened)))
        store.share(tx, contact, event.sequence)

    @route(
        "GET", "/v1/contacts/<ref>", may={"admin", "privacy_officer"}, answer=ContactAnswer(), tag="contacts"
    )
    def show_contact(self, tx: Transaction, ask: Ask, ref: str) -> Contact:
        """By which addresses somebody is reached, masked."""
        return store.find(tx, ref)
