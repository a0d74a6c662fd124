"""Points about what comes to it: every type, repeated, disordered, broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from wangge.conformance.bench import Bench, Told
from wangge.conformance.points import Broken, Point, Skipped, require_none
from wangge.contracts.envelope import MAX_BODY_BYTES, Event
from wangge.contracts.events import REGISTRY


def takes(bench: Bench) -> None:
    """Each event type that it must hear is acknowledged in time."""
    types = [event_type for event_type in bench.consumed if event_type != "incident.reported.v1"]
    bench.send(*[bench.samples.event(event_type) for event_type in types])
    if not bench.settles():
        raise Broken(f"{bench.left} of {len(types)} examples are not acknowledged: {', '.join(types)}")


def answers_publishers(bench: Bench) -> None:
    """Every message of a publisher gets a receipt, also one that nobody knows."""
    if "incident.reported.v1" not in bench.consumed:
        raise Skipped("publishers do not write to it")
    incident = bench.samples.event("incident.reported.v1", area=bench.samples.area)
    bench.send(incident)
    if not bench.until(lambda: _receipts(bench, incident)):
        raise Broken("no receipt came")


def _receipts(bench: Bench, incident: Event) -> list[Told]:
    data = [(told, told.document.get("data") or {}) for told in bench.receipts]
    return [told for told, each in data if each.get("message_id") == incident.id]


def takes_twice(bench: Bench) -> None:
    """The same event twice has one effect."""
    events = [event for event in bench.sent.values() if bench.told_of([event])]
    if not events:
        raise Skipped("nothing that was sent made it tell anything")
    before = {event.id: _by_type(bench.told_of([event])) for event in events}
    bench.send(*events)
    if not bench.settles():
        raise Broken("an event that came twice is not acknowledged")
    bench.listen(2.0)
    wrong = []
    for event in events:
        more = _by_type(bench.told_of([event])) - before[event.id]
        if more:
            wrong.append(f"{event.type} came twice and was told of twice: {dict(more)}")
    require_none(wrong)


def _by_type(told: list[Told]) -> Counter[str]:
    return Counter(str(each.document.get("type")) for each in told if each.document.get("id"))


def takes_out_of_order(bench: Bench) -> None:
    """Events of an aggregate may come in the wrong order."""
    types = [each for each in bench.consumed if REGISTRY[each].owner != "external"]
    for event_type in types:
        later, earlier = (bench.samples.event(event_type, key="7", sequence=each) for each in (2, 1))
        bench.send(later, earlier)
    if not bench.settles():
        raise Broken("events of one aggregate in the wrong order are not acknowledged")


def _stops_nothing(bench: Bench, body: Callable[[Event], bytes]) -> None:
    """Send a body that is wrong between two events of its key that are not."""
    healthy = next(each for each in bench.consumed if REGISTRY[each].owner != "external")
    before, broken, after = (bench.samples.event(healthy, key="9") for _ in range(3))
    bench.send(before)
    bench.send_raw(body(broken), broken)
    bench.send(after)
    if not bench.settles():
        raise Broken("it is not acknowledged, or what comes behind it is not")
    lanes = bench.management.lanes(bench.service).get(bench.cell, [])
    require_none([f"nobody consumes {lane.name} any more" for lane in lanes if not lane.consumers])


def bad_json(bench: Bench) -> None:
    """A body that is no JSON stops nothing."""
    _stops_nothing(bench, lambda _: b"{")


def wrong_schema(bench: Bench) -> None:
    """Data against the contract stop nothing."""
    _stops_nothing(bench, lambda event: _with(event, data={"nothing": "that is expected"}))


def unknown_type(bench: Bench) -> None:
    """A type that nobody knows stops nothing."""
    _stops_nothing(bench, lambda event: _with(event, type=f"{event.name}.v99"))


def huge(bench: Bench) -> None:
    """A body beyond the limit stops nothing."""
    _stops_nothing(bench, lambda event: _with(event, data={"text": "x" * MAX_BODY_BYTES}))


def _with(event: Event, **changed: Any) -> bytes:
    made = {**{name: getattr(event, name) for name in Event.__slots__ if name != "origin"}, **changed}
    return Event(**made).to_json()


POINTS = [
    Point("taking.every_type", takes),
    Point("taking.publishers", answers_publishers),
    Point("taking.twice", takes_twice),
    Point("taking.out_of_order", takes_out_of_order),
    Point("poison.bad_json", bad_json),
    Point("poison.wrong_schema", wrong_schema),
    Point("poison.unknown_type", unknown_type),
    Point("poison.huge", huge),
]
