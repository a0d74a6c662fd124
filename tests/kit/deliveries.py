"""Finds what is left over, lost, doubled, invented, parked or out of order on the way from a fact to its subscribers."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from kit.ledger import Ledger
from kit.records import Records, ServiceRecords
from kit.wording import PARKED, expected, is_held, shown, together, where

# left over


def unpublished(records: Records, ledger: Ledger) -> Iterator[str]:
    """Facts that their service committed and did not publish."""
    for name, service in records.services.items():
        yield from together(
            (f"{name} has not published {fact.type}: it is in its outbox, pending", fact.event_id)
            for fact in service.told
            if not fact.is_published
        )


def unroutable(records: Records, ledger: Ledger) -> Iterator[str]:
    """Facts that the broker returned though somebody subscribes to them."""
    for name, service in records.services.items():
        yield from together(
            (f"{name} told {fact.type} and no queue took it", fact.event_id)
            for fact in service.told
            if not fact.is_routed and records.listeners.get(fact.type)
        )


def queued(records: Records, ledger: Ledger) -> Iterator[str]:
    """Queues in which messages wait."""
    for queue, waiting in records.queues.items():
        if waiting:
            yield f"{waiting} messages wait in {queue}"


def deferred(records: Records, ledger: Ledger) -> Iterator[str]:
    """Events held for another try."""
    for name, service in records.services.items():
        yield from together(
            (f"{name} still defers {held.type}: {held.cause}", held.event_id)
            for held in service.held
            if held.state == "deferred"
        )


# lost, doubled, invented


def lost(records: Records, ledger: Ledger) -> Iterator[str]:
    """Facts that a subscriber neither processed nor holds."""
    for name, service in records.services.items():
        heard = {mark.event_id for mark in service.heard}
        yield from together(
            (f"{name} never processed {fact.type}: {where(fact, name, records)}", fact.event_id)
            for fact in expected(records, ledger, name)
            if fact.event_id not in heard and not is_held(service, fact.event_id)
        )


def doubled(records: Records, ledger: Ledger) -> Iterator[str]:
    """Facts that a subscriber processed more than once."""
    for name, service in records.services.items():
        times = Counter((mark.type, mark.event_id) for mark in service.heard)
        yield from together(
            (f"{name} processed one {event_type} {count} times", event_id)
            for (event_type, event_id), count in times.items()
            if count > 1
        )


def invented(records: Records, ledger: Ledger) -> Iterator[str]:
    """What was processed though nobody committed it."""
    for name, service in records.services.items():
        told = {fact.event_id for fact in expected(records, ledger, name)}
        yield from together(
            (f"{name} processed a {mark.type} that nobody committed", mark.event_id)
            for mark in service.heard
            if mark.event_id not in told
        )


def parked(records: Records, ledger: Ledger) -> Iterator[str]:
    """Good events in quarantine, and poison that is not there once."""
    parked: Counter[str] = Counter()
    for name, service in records.services.items():
        held = [each for each in service.held if each.state in PARKED]
        parked.update(each.event_id for each in held)
        yield from together(
            (f"{name} parked a good {each.type or 'message'}: {each.cause}", each.event_id)
            for each in held
            if each.event_id not in ledger.poisoned
        )
    missing, extra = ledger.poisoned - parked, parked - ledger.poisoned
    yield from together(("poison is parked nowhere", key) for key in missing.elements())
    yield from together(
        ("poison is parked more often than it was sent", key) for key in extra if key in ledger.poisoned
    )


# order


def gaps(records: Records, ledger: Ledger) -> Iterator[str]:
    """Aggregates whose facts are not numbered 1, 2, 3, …."""
    for name, service in records.services.items():
        numbers = defaultdict(list)
        for fact in service.told:
            if fact.sequence is not None:
                numbers[fact.aggregate].append(fact.sequence)
        for aggregate, found in sorted(numbers.items()):
            if sorted(found) != list(range(1, len(found) + 1)):
                yield f"{name} numbers the facts of {aggregate} {shown(sorted(found))}: a gap or a repetition"


def out_of_order(records: Records, ledger: Ledger) -> Iterator[str]:
    """Facts of one aggregate and key that took effect after a later one."""
    for name, service in records.services.items():
        facts = {fact.event_id: fact for fact in expected(records, ledger, name)}
        replayed = {held.event_id for held in service.held if held.was_replayed}
        by_aggregate = defaultdict(list)
        for event_id in _in_order_of_effect(service):
            fact = facts.get(event_id)
            if fact and fact.sequence is not None and event_id not in replayed:
                by_aggregate[fact.aggregate, fact.partitionkey].append(fact)
        for (aggregate, _), followed in sorted(by_aggregate.items()):
            for before, after in pairwise(followed):
                if before.sequence > after.sequence:
                    yield (
                        f"{name} processed {aggregate} out of order: {before.type} (number {before.sequence}, "
                        f"{before.event_id}) before {after.type} (number {after.sequence}, {after.event_id})"
                    )


def _in_order_of_effect(service: ServiceRecords) -> list[str]:
    placed = sorted((effect.place, effect.cause) for effect in service.effects if effect.place is not None)
    if placed:
        return [cause for _, cause in placed]
    return [mark.event_id for mark in sorted(service.heard, key=lambda mark: mark.at)]
