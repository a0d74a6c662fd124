"""Points about the facts that it tells in answer to the examples."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from marshmallow import ValidationError

from wangge.conformance.bench import Bench, Told
from wangge.conformance.points import Point, Skipped, require_none
from wangge.contracts.areas import Area
from wangge.contracts.envelope import Event
from wangge.contracts.events import REGISTRY


def facts_are_valid(bench: Bench) -> None:
    """What it tells is its own and fits the contract."""
    wrong = []
    for told in _facts(bench):
        document = told.document
        contract = REGISTRY.get(str(document.get("type")))
        if contract is None or contract.owner != bench.service:
            wrong.append(f"{document.get('type')!r} is no fact of {bench.service}")
            continue
        try:
            contract.loader.load(document.get("data") or {})
        except ValidationError as broken:
            wrong.append(f"{contract.type}: {broken.messages}")
    require_none(wrong)


def facts_have_an_envelope(bench: Bench) -> None:
    """Source, subject, partitionkey and area are right, ids unique."""
    wrong = []
    for told in _facts(bench):
        try:
            event = Event.from_json(told.body)
        except ValidationError as broken:
            wrong.append(f"{told.document.get('type')}: {broken.messages}")
            continue
        wrong += [f"{event.type}: {each}" for each in _wrong_attributes(bench, event)]
    ids = Counter(told.document.get("id") for told in _facts(bench))
    wrong += [f"the id {each} is used {times} times" for each, times in ids.items() if times > 1]
    require_none(wrong)


def _wrong_attributes(bench: Bench, event: Event) -> Iterator[str]:
    if event.source != f"/wangge/{bench.service}":
        yield f"source is {event.source}, not /wangge/{bench.service}"
    contract = REGISTRY.get(event.type)
    if contract is None:
        return
    subject = str(event.data.get(contract.subject, ""))
    if event.subject != subject:
        yield f"subject is {event.subject!r}, not {contract.subject} {subject!r}"
    if event.partitionkey != str(event.data.get(contract.partition) or subject):
        yield f"partitionkey is {event.partitionkey!r}"
    if event.area != event.data.get("area"):
        yield f"area is {event.area}, that of the data {event.data.get('area')}"


def facts_are_numbered(bench: Bench) -> None:
    """Facts of an aggregate are numbered without gaps."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for told in _facts(bench):
        entity = str(told.document.get("type")).partition(".")[0]
        numbers[f"{entity} {told.document.get('subject')}"].append(told.document.get("sequence") or 0)
    require_none(
        [
            f"{aggregate} is numbered {found}"
            for aggregate, found in numbers.items()
            if min(found) < 1 or found != list(range(found[0], found[0] + len(found)))
        ]
    )


def facts_name_their_cause(bench: Bench) -> None:
    """Causationid and correlationid are those of the cause."""
    by_id = bench.sent
    wrong = []
    for told in _facts(bench):
        document = told.document
        cause = by_id.get(str(document.get("causationid")))
        if cause is None:
            wrong.append(f"{document.get('type')}: causationid is {document.get('causationid')!r}")
        elif document.get("correlationid") != cause.correlationid:
            wrong.append(f"{document.get('type')}: correlationid is not that of its cause {cause.type}")
    require_none(wrong)


def facts_have_properties(bench: Bench) -> None:
    """Message_id, delivery_mode, user_id and partitionkey are set."""
    wrong = []
    for told in _facts(bench):
        properties, document = told.properties, told.document
        wanted = {"message_id": document.get("id"), "delivery_mode": 2}
        wrong += [
            f"{document.get('type')}: {name} is {properties.get(name)!r}, not {value!r}"
            for name, value in wanted.items()
            if properties.get(name) != value
        ]
        if not properties.get("user_id"):
            wrong.append(f"{document.get('type')}: no user_id, so the broker vouches for nobody")
        key = (properties.get("application_headers") or {}).get("partitionkey")
        if key != document.get("partitionkey"):
            wrong.append(f"{document.get('type')}: the header partitionkey is {key!r}")
    require_none(wrong)


def facts_are_routed_by_area(bench: Bench) -> None:
    """The routing key is the fact and the area's words."""
    wrong = []
    for told in _facts(bench):
        name = str(told.document.get("type")).rpartition(".")[0]
        try:
            area = Area.parse(str(told.document.get("area"))).routing
        except ValueError:
            wrong.append(f"{name}: area is {told.document.get('area')!r}")
            continue
        if told.routing_key != f"{name}.{area}":
            wrong.append(f"routing key {told.routing_key}, not {name}.{area}")
    require_none(wrong)


def _facts(bench: Bench) -> list[Told]:
    facts = bench.told_here()
    if not facts:
        raise Skipped(
            "it told nothing of the tested area: give a --site whose people and categories it knows"
        )
    return facts


POINTS = [
    Point("facts.data", facts_are_valid),
    Point("facts.envelope", facts_have_an_envelope),
    Point("facts.sequence", facts_are_numbered),
    Point("facts.cause", facts_name_their_cause),
    Point("facts.properties", facts_have_properties),
    Point("facts.routing", facts_are_routed_by_area),
]
