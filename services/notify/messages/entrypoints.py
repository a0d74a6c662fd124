"""Hears the facts that are told to people, sends what is due, and answers who was told what."""

from __future__ import annotations

from typing import Any

from services.notify.contacts import store as contact_store
from services.notify.messages import store
from services.notify.messages.courier import Courier, deliver
from services.notify.messages.model import Message, read
from services.notify.messages.planning import catch_up, tell
from services.notify.messages.schemas import InboxPage, MessageAnswer, MessagePage, MessageQuery, MessageWhole
from services.notify.messages.store import Visible
from wangge.chassis.auth import Principal
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import PageQuery, key_of, page
from wangge.chassis.service import every, on
from wangge.chassis.transaction import Transaction
from wangge.contracts.envelope import Event

OVERSEERS = frozenset({"admin", "dispatcher", "community_secretary", "auditor"})
"""Who may see what others were told, in their areas."""

#: Seconds between looks for contacts that came to be known.
CATCH_UP_SECONDS = 1.0

#: Seconds between purges of messages past their keeping time.
PURGE_SECONDS = 3600.0


class MessageEntrypoints:
    """Messages: made of facts, delivered, looked at, read.

    Each fact is told by its site's routes; the idempotency key of a message is (event id, recipient, channel).
    """

    app: Any

    @on("report.accepted.v1")
    def on_report_accepted(self, tx: Transaction, event: Event) -> None:
        """Tell that a report was taken up. Idempotency key: the message's."""
        tell(tx, event)

    @on("report.rejected.v1")
    def on_report_rejected(self, tx: Transaction, event: Event) -> None:
        """Tell why a report was not accepted. Idempotency key: the message's."""
        tell(tx, event)

    @on("report.merged.v1")
    def on_report_merged(self, tx: Transaction, event: Event) -> None:
        """Tell that a report joined another. Idempotency key: the message's."""
        tell(tx, event)

    @on("case.filed.v1")
    def on_case_filed(self, tx: Transaction, event: Event) -> None:
        """Tell that a case was filed. Idempotency key: the message's."""
        tell(tx, event)

    @on("case.dispatched.v1")
    def on_case_dispatched(self, tx: Transaction, event: Event) -> None:
        """Tell those who must handle it. Idempotency key: the message's."""
        tell(tx, event)

    @on("case.claimed.v1")
    def on_case_claimed(self, tx: Transaction, event: Event) -> None:
        """Tell that a unit took it. Idempotency key: the message's."""
        tell(tx, event)

    @on("case.handled.v1")
    def on_case_handled(self, tx: Transaction, event: Event) -> None:
        """Tell that it is done. Idempotency key: the message's."""
        tell(tx, event)

    @on("case.checked.v1")
    def on_case_checked(self, tx: Transaction, event: Event) -> None:
        """Tell what the check found. Idempotency key: the message's."""
        tell(tx, event)

    @on("case.closed.v1")
    def on_case_closed(self, tx: Transaction, event: Event) -> None:
        """Answer the reporters and thank the helpers. Idempotency key: the message's."""
        tell(tx, event)

    @on("case.reopened.v1")
    def on_case_reopened(self, tx: Transaction, event: Event) -> None:
        """Tell that it starts again. Idempotency key: the message's."""
        tell(tx, event)

    @on("case.overdue.v1")
    def on_case_overdue(self, tx: Transaction, event: Event) -> None:
        """Press those who are late and those above them. Idempotency key: the message's."""
        tell(tx, event)

    @on("points.posted.v1")
    def on_points_posted(self, tx: Transaction, event: Event) -> None:
        """Tell a member what was earned. Idempotency key: the message's."""
        tell(tx, event)

    @on("points.reversed.v1")
    def on_points_reversed(self, tx: Transaction, event: Event) -> None:
        """Tell a member what was taken back. Idempotency key: the message's."""
        tell(tx, event)

    @deliver
    def deliver_due(self, courier: Courier) -> int:
        """Begin the deliveries that are due, as many as there is room for."""
        return courier.send_due()

    @every(CATCH_UP_SECONDS)
    def catch_up_contacts(self, tx: Transaction) -> int:
        """Send what was told to somebody just before their contact was known."""
        taken = contact_store.take_new(tx)
        if taken:
            catch_up(tx, taken)
        return len(taken)

    @every(PURGE_SECONDS)
    def purge_messages(self, tx: Transaction) -> int:
        """Remove a portion of the messages past their keeping time."""
        return store.purge(tx)

    @route("GET", "/v1/messages", query=MessageQuery(), answer=MessagePage(), tag="messages")
    def list_messages(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """Messages, the newest first: one's own, and for overseers those of their areas."""
        after, limit = key_of(ask.query["cursor"], 1), ask.query["limit"]
        found = store.page(tx, _visible(ask.who), ask.query, after, limit + 1)
        return page(found, limit, lambda message: (message.message_id,))

    @route("GET", "/v1/messages/<message_id>", answer=MessageWhole(), tag="messages")
    def show_message(self, tx: Transaction, ask: Ask, message_id: str) -> dict[str, Any]:
        """One message with every try to deliver it."""
        message = store.find(tx, message_id, _visible(ask.who))
        return {**_columns(message), "deliveries": store.deliveries_of(tx, message_id)}

    @route("GET", "/v1/inbox", query=PageQuery(), answer=InboxPage(), tag="inbox")
    def list_inbox(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """The bearer's own inbox, unread first, then the newest first."""
        own, after, limit = _own(ask.who), key_of(ask.query["cursor"], 2), ask.query["limit"]
        found = store.inbox(tx, own, after, limit + 1)
        listed = page(found, limit, lambda message: (message.read_at is not None, message.message_id))
        return {**listed, "unread": store.unread(tx, own)}

    @route("POST", "/v1/inbox/<message_id>/read", answer=MessageAnswer(), tag="inbox")
    def read_message(self, tx: Transaction, ask: Ask, message_id: str) -> Message:
        """Note that the bearer read a message of their inbox; again changes nothing."""
        message = store.find(tx, message_id, Visible(_own(ask.who)), lock=True)
        seen = read(message, tx.now)
        store.save(tx, seen)
        return seen


def _own(who: Principal) -> tuple[str, ...]:
    """By which references the bearer is told things; a unit's inbox holds what nobody of the unit could be told."""
    own = [f"person:{who.id}"]
    if "resident" in who.roles:
        own.append(f"resident:{who.id}")
    if who.unit:
        own.append(f"unit:{who.unit}")
    return tuple(own)


def _visible(who: Principal) -> Visible:
    if who.roles.isdisjoint(OVERSEERS):
        return Visible(_own(who))
    return Visible(_own(who), who.areas)


def _columns(message: Message) -> dict[str, Any]:
    return {name: getattr(message, name) for name in MessageAnswer().fields}
