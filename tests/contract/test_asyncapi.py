"""The committed description of the bus is current, sound, and says what the contracts check."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from kit.reading import subscriptions

from wangge.cli.contracts import outdated
from wangge.contracts import asyncapi
from wangge.contracts.envelope import EnvelopeSchema
from wangge.contracts.events import REGISTRY
from wangge.contracts.fields import CASE_NO, PERSON_ID, REFERENCE, REPORT_CODE
from wangge.contracts.registry import EventType

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = yaml.safe_load((DOCS / "asyncapi.yaml").read_text(encoding="utf-8"))
EVENTS = list(REGISTRY)

VALUES = {
    "^[0-9]{2,17}$": "14080200290200100",
    CASE_NO: "1408022023091400001",
    REPORT_CODE: "BG20230914-000001",
    PERSON_ID: "hx-worker-1",
    REFERENCE: "person:hx-worker-1",
    asyncapi.DECIMAL: "2.00",
}


def schema_of(event: EventType) -> dict[str, Any]:
    return json.loads((DOCS / "schemas" / f"{event.type}.json").read_text(encoding="utf-8"))


def a_value(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """The plainest value that the JSON Schema allows."""
    if "$ref" in schema:
        return a_value(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema["type"][0] if isinstance(schema["type"], list) else schema["type"]
    if kind == "object":
        return {name: a_value(schema["properties"][name], root) for name in schema.get("required", ())}
    if kind == "string":
        return (
            "2023-09-14T19:00:00+08:00" if schema.get("format") else VALUES.get(schema.get("pattern"), "一")
        )
    return {"array": [], "boolean": True, "integer": schema.get("minimum", 1), "number": 1.0}[kind]


def test_the_committed_files_are_current() -> None:
    assert outdated(DOCS) == [], "run `wangge contracts export`"


def test_every_event_has_a_channel_an_operation_a_message_and_a_schema() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert set(DOCUMENT["channels"]) == {event.name for event in EVENTS}
    assert set(DOCUMENT["components"]["messages"]) == {event.type for event in EVENTS}
    for operation in DOCUMENT["operations"].values():
        name = operation["channel"]["$ref"].removeprefix("#/channels/")
        assert operation["action"] in ("send", "receive")
        assert [each["$ref"].rpartition("/")[2] for each in operation["messages"]] == list(
            DOCUMENT["channels"][name]["messages"]
        )


def test_only_what_comes_from_outside_is_received() -> None:
    received = [name for name, each in DOCUMENT["operations"].items() if each["action"] == "receive"]
    assert received == ["receive.incident.reported"]


def test_the_services_listen_to_what_the_description_says_of_each_channel() -> None:
    told = {event.type: set(DOCUMENT["channels"][event.name]["x-subscribers"]) for event in EVENTS}
    listening = {event_type: set(services) for event_type, services in subscriptions().items()}
    assert told == {event_type: listening.get(event_type, set()) for event_type in told}


def test_a_channels_parameters_are_those_of_its_address() -> None:
    for channel in DOCUMENT["channels"].values():
        assert all(f"{{{name}}}" in channel["address"] for name in channel["parameters"])
        assert channel["address"].count("{") == len(channel["parameters"])


@pytest.mark.parametrize("reference", sorted(set(asyncapi.references(DOCUMENT))))
def test_every_reference_leads_somewhere(reference: str) -> None:
    place: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        place = place[step]
    assert place


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_a_schema_is_a_json_schema_of_2020_12_at_its_address(event: EventType) -> None:
    schema = schema_of(event)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["$id"] == event.dataschema
    assert schema["description"]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_what_the_schema_allows_the_contract_loads(event: EventType) -> None:
    schema = schema_of(event)
    data = a_value(schema, schema)
    assert list(Draft202012Validator(schema).iter_errors(data)) == []
    event.loader.load(data)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_what_the_schema_requires_the_contract_requires(event: EventType) -> None:
    schema = schema_of(event)
    data = a_value(schema, schema)
    for name in schema["required"]:
        lacking = {key: value for key, value in data.items() if key != name}
        assert not Draft202012Validator(schema).is_valid(lacking)
        assert set(event.loader.validate(lacking)) == {name}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_a_field_that_is_not_known_yet_hurts_neither(event: EventType) -> None:
    schema = schema_of(event)
    data = {**a_value(schema, schema), "from_a_newer_release": True}
    assert Draft202012Validator(schema).is_valid(data)
    event.loader.load(data)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_the_fields_that_name_the_aggregate_and_keep_the_order_exist(event: EventType) -> None:
    assert event.subject in event.loader.fields
    assert not event.partition or event.partition in event.loader.fields


def test_the_envelope_is_described_as_it_is_checked() -> None:
    described = DOCUMENT["components"]["schemas"]["Envelope"]
    assert set(described["properties"]) == set(EnvelopeSchema().fields)
    assert set(described["required"]) == {"specversion", "id", "source", "type", "time", "data"}
