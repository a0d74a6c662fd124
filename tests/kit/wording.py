"""What the parts of the checker share: which facts a service must process, and how differences are told."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from kit.ledger import Ledger
from kit.records import Records, ServiceRecords, Told

#: How many of the events that share one fate a difference names.
NAMED = 3

#: States of held events that no machine takes up again.
PARKED = ("quarantined", "dropped")


def expected(records: Records, ledger: Ledger, listener: str) -> list[Told]:
    """What a service must process: facts that their owners committed and messages that the test sent."""
    committed = [
        fact for name, service in records.services.items() for fact in service.told if fact.owner == name
    ]
    return [fact for fact in (*committed, *ledger.facts) if listener in records.listeners.get(fact.type, ())]


def is_held(service: ServiceRecords, event_id: str) -> bool:
    """Whether a service keeps the event for a retry or an operator."""
    return any(held.event_id == event_id and held.state != "done" for held in service.held)


def where(fact: Told, listener: str, records: Records) -> str:
    """Where a fact that a service misses is likely to be."""
    if not fact.is_published:
        return f"in the outbox of {fact.owner}, unpublished"
    if not fact.is_routed:
        return "returned by the broker, which had no queue for it"
    waiting = {
        queue: count for queue, count in records.queues.items() if count and queue.startswith(f"{listener}.")
    }
    if waiting:
        return f"likely in {', '.join(f'{queue} ({count})' for queue, count in sorted(waiting.items()))}"
    return f"published, in no inbox of {listener}, not held, its queues are empty"


def together(fates: Iterable[tuple[str, str]]) -> Iterator[str]:
    """One line for all events that share a fate, some of them named."""
    shared: dict[str, list[str]] = defaultdict(list)
    for fate, event_id in fates:
        shared[fate].append(event_id)
    for fate, ids in shared.items():
        yield f"{fate}: {len(ids)} of them, for example {', '.join(ids[:NAMED])}"


def shown(numbers: list[int]) -> str:
    """The first of some numbers."""
    return ", ".join(map(str, numbers[:12])) + ("…" if len(numbers) > 12 else "")
