"""What must hold of a system once it is quiet, whatever happened before; every difference is told in words.

In the manner of Jepsen: the checker is given records only (`kit.records`) and the test's own account of what it sent
(`kit.ledger`). A difference says which event, which service, what is wrong with it and where it is likely to be found.

Every committed fact has its effect in every subscriber exactly once; nothing has an effect that nobody committed;
effects of one aggregate follow its sequence; nothing is left in outbox, queue or deferral; what is parked is the
poison that was sent; every publisher's message has one receipt; points add up.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, pairwise

from kit.effects import RULES
from kit.ledger import Ledger
from kit.records import INCIDENT, Receipt, Records, ServiceRecords, Told

#: How many of the events that share one fate a difference names.
NAMED = 3

PARKED = ("quarantined", "dropped")


def check(records: Records, ledger: Ledger) -> list[str]:
    """Every difference between what was told and what came of it; empty when all is well."""
    return list(chain.from_iterable(look(records, ledger) for look in INVARIANTS.values()))


# left over


def _unpublished(records: Records, ledger: Ledger) -> Iterator[str]:
    for name, service in records.services.items():
        yield from _together(
            (f"{name} has not published {_a(fact)}: it is in its outbox, pending", fact.event_id)
            for fact in service.told
            if not fact.is_published
        )


def _unroutable(records: Records, ledger: Ledger) -> Iterator[str]:
    for name, service in records.services.items():
        yield from _together(
            (f"{name} told {_a(fact)} and no queue took it", fact.event_id)
            for fact in service.told
            if not fact.is_routed and records.listeners.get(fact.type)
        )


def _queued(records: Records, ledger: Ledger) -> Iterator[str]:
    for queue, waiting in records.queues.items():
        if waiting:
            yield f"{waiting} messages wait in {queue}"


def _deferred(records: Records, ledger: Ledger) -> Iterator[str]:
    for name, service in records.services.items():
        yield from _together(
            (f"{name} still defers {held.type}: {held.cause}", held.event_id)
            for held in service.held
            if held.state == "deferred"
        )


# lost, doubled, invented


def _lost(records: Records, ledger: Ledger) -> Iterator[str]:
    for name, service in records.services.items():
        heard = {mark.event_id for mark in service.heard}
        yield from _together(
            (f"{name} never processed {_a(fact)}: {_where(fact, name, records)}", fact.event_id)
            for fact in _expected(records, ledger, name)
            if fact.event_id not in heard and not _is_held(service, fact.event_id)
        )


def _doubled(records: Records, ledger: Ledger) -> Iterator[str]:
    for name, service in records.services.items():
        times = Counter((mark.type, mark.event_id) for mark in service.heard)
        yield from _together(
            (f"{name} processed one {event_type} {count} times", event_id)
            for (event_type, event_id), count in times.items()
            if count > 1
        )


def _invented(records: Records, ledger: Ledger) -> Iterator[str]:
    for name, service in records.services.items():
        told = {fact.event_id for fact in _expected(records, ledger, name)}
        yield from _together(
            (f"{name} processed a {mark.type} that nobody committed", mark.event_id)
            for mark in service.heard
            if mark.event_id not in told
        )


def _parked(records: Records, ledger: Ledger) -> Iterator[str]:
    parked: Counter[str] = Counter()
    for name, service in records.services.items():
        held = [each for each in service.held if each.state in PARKED]
        parked.update(each.event_id for each in held)
        yield from _together(
            (f"{name} parked a good {each.type or 'message'}: {each.cause}", each.event_id)
            for each in held
            if each.event_id not in ledger.poisoned
        )
    missing, extra = ledger.poisoned - parked, parked - ledger.poisoned
    yield from _together(("poison is parked nowhere", key) for key in missing.elements())
    yield from _together(
        ("poison is parked more often than it was sent", key) for key in extra if key in ledger.poisoned
    )


# order


def _gaps(records: Records, ledger: Ledger) -> Iterator[str]:
    for name, service in records.services.items():
        numbers = defaultdict(list)
        for fact in service.told:
            if fact.sequence is not None:
                numbers[fact.aggregate].append(fact.sequence)
        for aggregate, found in sorted(numbers.items()):
            if sorted(found) != list(range(1, len(found) + 1)):
                yield f"{name} numbers the facts of {aggregate} {_shown(sorted(found))}: a gap or a repetition"


def _out_of_order(records: Records, ledger: Ledger) -> Iterator[str]:
    for name, service in records.services.items():
        facts = {fact.event_id: fact for fact in _expected(records, ledger, name)}
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
                        f"{name} processed {aggregate} out of order: {_a(before)} (number {before.sequence}, "
                        f"{before.event_id}) before {_a(after)} (number {after.sequence}, {after.event_id})"
                    )


def _in_order_of_effect(service: ServiceRecords) -> list[str]:
    placed = sorted((effect.place, effect.cause) for effect in service.effects if effect.place is not None)
    if placed:
        return [cause for _, cause in placed]
    return [mark.event_id for mark in sorted(service.heard, key=lambda mark: mark.at)]


# effects in the domain


def _without_effect(records: Records, ledger: Ledger) -> Iterator[str]:
    for rule in RULES:
        service = records.services.get(rule.service, ServiceRecords())
        processed = {mark.event_id for mark in service.heard if not mark.refused}
        present = {effect.key for effect in service.effects if effect.what == rule.what}
        yield from _together(
            (f"{rule.service} processed {_a(fact)} and has no {rule.what} of it", rule.key(fact))
            for fact in _expected(records, ledger, rule.service)
            if fact.type == rule.type and fact.event_id in processed and rule.key(fact) not in present
        )


def _effect_doubled(records: Records, ledger: Ledger) -> Iterator[str]:
    for name, service in records.services.items():
        times = Counter((effect.what, effect.key) for effect in service.effects)
        yield from _together(
            (f"{name} has one {what} {count} times", key) for (what, key), count in times.items() if count > 1
        )


def _effect_invented(records: Records, ledger: Ledger) -> Iterator[str]:
    for name, service in records.services.items():
        told = {fact.event_id for fact in _expected(records, ledger, name)}
        yield from _together(
            (f"{name} has a {effect.what} of an event that nobody committed", effect.cause)
            for effect in service.effects
            if effect.cause and effect.cause not in told
        )
    for rule in RULES:
        service = records.services.get(rule.service, ServiceRecords())
        due = {rule.key(fact) for fact in _expected(records, ledger, rule.service) if fact.type == rule.type}
        yield from _together(
            (f"{rule.service} has a {rule.what} that no {rule.type} asked for", effect.key)
            for effect in service.effects
            if effect.what == rule.what and effect.key not in due
        )


def _receipts(records: Records, ledger: Ledger) -> Iterator[str]:
    if not records.is_answered:
        return
    answers = {each.message_id: each for service in records.services.values() for each in service.receipts}
    for alike in ledger.alike:
        yield from _answered(alike, answers, ledger)
    yield from _together(
        (f"a receipt {each.outcome} for a message that nobody sent", each.message_id)
        for each in answers.values()
        if each.message_id not in ledger.copies and each.outcome != "quarantined"
    )
    yield from _receipts_of_poison(records)


def _answered(alike: tuple[str, ...], answers: Mapping[str, Receipt], ledger: Ledger) -> Iterator[str]:
    """One of the messages that tell the same is accepted, the others are its duplicates; each is told so."""
    outcomes = sorted(answers[each].outcome if each in answers else "not at all" for each in alike)
    due = ["accepted", *["duplicate"] * (len(alike) - 1)]
    if outcomes != due:
        yield f"{' and '.join(alike)} answered {', '.join(outcomes)}; {', '.join(due)} was due"
    for each in alike:
        told = answers[each].times_told if each in answers else 1
        if not 1 <= told <= ledger.copies[each]:
            yield f"the receipt of {each} was told {told} times to {ledger.copies[each]} copies"


def _receipts_of_poison(records: Records) -> Iterator[str]:
    for name, service in records.services.items():
        told = sum(each.outcome == "quarantined" for each in service.receipts)
        parked = sum(each.state in PARKED and each.type in ("", INCIDENT) for each in service.held)
        if service.receipts and told != parked:
            yield f"{name} parks {parked} messages of publishers and has answered {told} of them quarantined"


def _sums(records: Records, ledger: Ledger) -> Iterator[str]:
    for name, service in records.services.items():
        for each in service.sums:
            if each.stated != each.parts:
                yield f"{name}: {each.what} is {each.stated}, its parts add up to {each.parts}"


#: What must hold, in words, and what finds where it does not.
INVARIANTS: dict[str, Callable[[Records, Ledger], Iterator[str]]] = {
    "every committed fact is published": _unpublished,
    "every published fact that has subscribers reaches a queue": _unroutable,
    "queues and dead queues of all cells are empty": _queued,
    "no event is deferred any more": _deferred,
    "every committed fact is processed by every subscriber": _lost,
    "none is processed twice": _doubled,
    "none is processed that nobody committed": _invented,
    "what is parked is the poison that was sent, each once": _parked,
    "the facts of an aggregate are numbered without a gap": _gaps,
    "the facts of an aggregate are processed in the order of their numbers": _out_of_order,
    "what was processed has its effect": _without_effect,
    "no effect is there twice": _effect_doubled,
    "no effect is there that no fact asked for": _effect_invented,
    "every message of a publisher has one receipt of the right outcome": _receipts,
    "points add up: entries, boards and accounts": _sums,
}


# words


def _expected(records: Records, ledger: Ledger, listener: str) -> list[Told]:
    """What a service must process: facts that their owners committed and messages that the test sent."""
    committed = [
        fact for name, service in records.services.items() for fact in service.told if fact.owner == name
    ]
    return [fact for fact in (*committed, *ledger.facts) if listener in records.listeners.get(fact.type, ())]


def _is_held(service: ServiceRecords, event_id: str) -> bool:
    return any(held.event_id == event_id and held.state != "done" for held in service.held)


def _where(fact: Told, listener: str, records: Records) -> str:
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


def _a(fact: Told) -> str:
    return f"{fact.type}"


def _together(fates: Iterable[tuple[str, str]]) -> Iterator[str]:
    """One line for all events that share a fate, some of them named."""
    shared: dict[str, list[str]] = defaultdict(list)
    for fate, event_id in fates:
        shared[fate].append(event_id)
    for fate, ids in shared.items():
        yield f"{fate}: {len(ids)} of them, for example {', '.join(ids[:NAMED])}"


def _shown(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:12])) + ("…" if len(numbers) > 12 else "")
