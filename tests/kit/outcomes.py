"""Finds what events should have brought about and did not, did twice, or nobody asked for; receipts and sums."""

from collections import Counter
from collections.abc import Iterator, Mapping

from kit.effects import RULES
from kit.ledger import Ledger
from kit.records import INCIDENT, Receipt, Records, ServiceRecords
from kit.wording import PARKED, expected, together


def without_effect(records: Records, ledger: Ledger) -> Iterator[str]:
    """Processed facts that left nothing behind."""
    for rule in RULES:
        service = records.services.get(rule.service, ServiceRecords())
        processed = {mark.event_id for mark in service.heard if not mark.refused}
        present = {effect.key for effect in service.effects if effect.what == rule.what}
        yield from together(
            (f"{rule.service} processed {fact.type} and has no {rule.what} of it", rule.key(fact))
            for fact in expected(records, ledger, rule.service)
            if fact.type == rule.type and fact.event_id in processed and rule.key(fact) not in present
        )


def effect_doubled(records: Records, ledger: Ledger) -> Iterator[str]:
    """Effects that are there more than once."""
    for name, service in records.services.items():
        times = Counter((effect.what, effect.key) for effect in service.effects)
        yield from together(
            (f"{name} has one {what} {count} times", key) for (what, key), count in times.items() if count > 1
        )


def effect_invented(records: Records, ledger: Ledger) -> Iterator[str]:
    """Effects that no fact asked for."""
    for name, service in records.services.items():
        told = {fact.event_id for fact in expected(records, ledger, name)}
        yield from together(
            (f"{name} has a {effect.what} of an event that nobody committed", effect.cause)
            for effect in service.effects
            if effect.cause and effect.cause not in told
        )
    for rule in RULES:
        service = records.services.get(rule.service, ServiceRecords())
        due = {rule.key(fact) for fact in expected(records, ledger, rule.service) if fact.type == rule.type}
        yield from together(
            (f"{rule.service} has a {rule.what} that no {rule.type} asked for", effect.key)
            for effect in service.effects
            if effect.what == rule.what and effect.key not in due
        )


def receipts(records: Records, ledger: Ledger) -> Iterator[str]:
    """Messages of publishers without their one receipt, and receipts of messages that nobody sent."""
    if not records.is_answered:
        return
    answers = {each.message_id: each for service in records.services.values() for each in service.receipts}
    for alike in ledger.alike:
        yield from _answered(alike, answers, ledger)
    yield from together(
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


def sums(records: Records, ledger: Ledger) -> Iterator[str]:
    """Totals that are not what their parts add up to."""
    for name, service in records.services.items():
        for each in service.sums:
            if each.stated != each.parts:
                yield f"{name}: {each.what} is {each.stated}, its parts add up to {each.parts}"
