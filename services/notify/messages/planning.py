"""Makes the messages that a fact asks for: its site's routes say who is told in which words, the directory who that is.

Guarantee: one message for an event, a recipient and a channel, however often and in whatever order facts come.
Limit: told are the people whom the directory names when the fact comes, not those it would name later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from services.notify.contacts import store as contact_store
from services.notify.contacts.model import OUTSIDE, Channel
from services.notify.directory import store as directory_store
from services.notify.messages import store
from services.notify.messages.handing import waker
from services.notify.messages.model import Message, MessageState, earliest
from services.notify.messages.model import store as stored
from services.notify.messages.telling import write
from services.notify.routes.model import Route, allot, questions, wanted
from services.notify.sites import store as site_store
from services.notify.sites.store import Rules
from wangge.chassis.errors import Permanent
from wangge.chassis.ids import new_id
from wangge.chassis.transaction import Transaction
from wangge.contracts.envelope import Event
from wangge.contracts.sites.wording import NEVER_TOLD, render

NAMED = ("area", "lead", "unit")
"""Fields of a fact that hold the code of a unit or a place; `assist` holds several."""


def tell(tx: Transaction, event: Event) -> None:
    """Write the messages about a fact; those to inboxes are delivered with it. Raises `Permanent` (`template.broken`)."""
    rules = site_store.rules_over(tx, event.data["area"])
    routes = rules.routes.get(event.name, ()) if rules else ()
    if rules is None or not routes:
        return
    everybody = [each for route in routes for selector in route.to for each in wanted(selector, event.data)]
    answers = directory_store.ask(tx, questions(everybody), _codes(event))
    told = allot(routes, event.data, answers)
    if not told:
        return
    channels = contact_store.channels_of(tx, told.keys())
    words = _words(tx, rules, set(told.values()), event)
    written = [
        _message(tx, rules, event, ref, channel, route, words[route])
        for ref, route in told.items()
        for channel in _channels(channels[ref])
    ]
    write(tx, written, rules.site.retries)


def catch_up(tx: Transaction, refs: Mapping[str, Collection[Channel]]) -> int:
    """Send what these were lately told by the channels they shared meanwhile; answers how many messages.

    A reporter's contact and the fact about their report travel on different lanes, so either may come first.
    """
    written = [
        replace(
            message,
            message_id=new_id(),
            channel=channel,
            state=MessageState.QUEUED,
            attempts=0,
            delivered_at=None,
            read_at=None,
            not_before=earliest(site_store.of_site(tx, message.site), channel, message.is_urgent, tx.now),
        )
        for message in store.recent(tx, refs.keys())
        for channel in _channels(refs[message.recipient])
        if channel is not Channel.INBOX
    ]
    tx.after_commit(waker.wake)
    return len(store.add(tx, written, lease=timedelta()))


def _channels(outside: Collection[Channel]) -> Iterator[Channel]:
    yield Channel.INBOX
    yield from (channel for channel in OUTSIDE if channel in outside)


def _codes(event: Event) -> list[str]:
    """Codes of units and places that a text may call by their names."""
    return [event.data[name] for name in NAMED if event.data.get(name)] + [*event.data.get("assist", ())]


def _words(
    tx: Transaction, rules: Rules, routes: Collection[Route], event: Event
) -> Mapping[Route, tuple[str, str]]:
    """Title and text of each route."""
    names = {**rules.site.names, **directory_store.names_of(tx, _codes(event))}
    known = {name: value for name, value in event.data.items() if name not in NEVER_TOLD}
    known["site"] = rules.site.name
    words = {}
    for route in routes:
        template = rules.templates[route.template]
        try:
            words[route] = (render(template.title, known, names), render(template.text, known, names))
        except ValueError as wrong:
            raise Permanent("template.broken", f"{rules.site.site} {template.code}: {wrong}") from wrong
    return words


def _message(
    tx: Transaction,
    rules: Rules,
    event: Event,
    recipient: str,
    channel: Channel,
    route: Route,
    words: tuple[str, str],
) -> Message:
    title, text = words
    message = Message(
        message_id=new_id(),
        event_id=event.id,
        event_type=event.type,
        correlation_id=event.correlationid or event.id,
        case_no=event.data.get("case_no"),
        report_code=event.data.get("report_code"),
        area=event.data["area"],
        site=rules.site.site,
        recipient=recipient,
        channel=channel,
        template=route.template,
        is_urgent=route.is_urgent,
        title=title,
        text=text,
        state=MessageState.QUEUED,
        attempts=0,
        not_before=earliest(rules.site, channel, route.is_urgent, tx.now),
        created_at=tx.now,
    )
    return stored(message, tx.now) if channel is Channel.INBOX else message
