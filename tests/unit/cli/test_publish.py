"""Incidents become CloudEvents with the routing key of their area, as an outside system would send them."""

import json

import pytest

from wangge.cli.errors import CommandFailed
from wangge.cli.publish import as_message, envelope, read_incidents
from wangge.cli.publishers import Publisher, permissions_of
from wangge.contracts.envelope import Event

HOTLINE = Publisher("hotline12345", "https://12345.example/orders", "140802002902")
LAMP = {"text": "路灯不亮", "channel": "hotline_12345", "external_no": "0052"}


def test_bare_data_get_an_envelope_that_the_services_can_read() -> None:
    event = Event.from_json(json.dumps(envelope(LAMP, HOTLINE)).encode())
    assert (event.type, event.source, event.area) == ("incident.reported.v1", HOTLINE.source, HOTLINE.area)
    assert (event.subject, event.partitionkey) == ("0052", "0052")
    assert event.data["text"] == LAMP["text"]
    assert event.data["occurred_at"] == event.time.isoformat()


def test_each_message_has_an_id_of_its_own() -> None:
    assert as_message(LAMP, HOTLINE).id != as_message(LAMP, HOTLINE).id


@pytest.mark.parametrize(
    ("incident", "key"),
    [
        (LAMP, "incident.reported.14.08.02.002.902"),
        ({**LAMP, "area": "14080200290200200"}, "incident.reported.14.08.02.002.902.002.00"),
        ({**LAMP, "area": "nonsense"}, "incident.reported.unknown"),
    ],
)
def test_the_routing_key_ends_with_the_words_of_the_area(incident: dict, key: str) -> None:
    assert as_message(incident, HOTLINE).routing_key == key


def test_a_whole_cloudevent_is_sent_as_it_is() -> None:
    event = {
        "specversion": "1.0",
        "id": "x1",
        "type": "incident.reported.v1",
        "subject": "s",
        "data": {"area": "1408"},
    }
    message = as_message(event, HOTLINE)
    assert json.loads(message.body) == event
    assert (message.id, message.partitionkey, message.routing_key) == ("x1", "s", "incident.reported.14.08")


@pytest.mark.parametrize("text", ['{"a": 1}', '[{"a": 1}]', '{"a": 1}\n', '\n{"a": 1}\n\n'])
def test_one_incident_a_list_and_lines_are_read(text: str) -> None:
    assert read_incidents(text, "some.json") == [{"a": 1}]


def test_lines_are_read_one_by_one() -> None:
    assert read_incidents('{"a": 1}\n{"a": 2}\n', "some.ndjson") == [{"a": 1}, {"a": 2}]


def test_a_line_that_is_no_json_is_named() -> None:
    with pytest.raises(CommandFailed, match="some.ndjson:2: not JSON"):
        read_incidents('{"a": 1}\n{"a":\n', "some.ndjson")


def test_what_is_no_object_is_no_incident() -> None:
    with pytest.raises(CommandFailed, match="an incident is a JSON object"):
        read_incidents("[1]", "some.json")


def test_a_publisher_may_only_write_incidents_and_read_its_own_receipts() -> None:
    assert permissions_of("camera") == {
        "configure": "^$",
        "write": "^incidents$",
        "read": r"^receipts\.camera$",
    }
