import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wangge.chassis.delivery import Delivery, read
from wangge.chassis.errors import Permanent
from wangge.contracts.envelope import MAX_BODY_BYTES, Event
from wangge.contracts.events import REGISTRY

INCIDENT = {
    "specversion": "1.0",
    "id": "m-1",
    "source": "urn:camera:7",
    "type": "incident.reported.v1",
    "time": "2025-12-08T10:00:00+08:00",
    "area": "140802002902",
    "data": {"text": "墙体脱落", "occurred_at": "2025-12-08T10:00:00+08:00", "channel": "video"},
}


def delivery(document, **more):
    return Delivery(document if isinstance(document, bytes) else orjson.dumps(document), **more)


def test_an_incident_is_read_with_its_data_loaded():
    event = read(delivery(INCIDENT, login="camera"), REGISTRY)
    assert (event.id, event.origin, event.area, event.data["urgency"]) == (
        "m-1",
        "camera",
        "140802002902",
        "none",
    )
    assert event.data["occurred_at"].utcoffset().total_seconds() == 8 * 3600
    assert event.name == "incident.reported"


def test_every_wrong_field_of_the_data_is_named():
    data = {
        "occurred_at": "2025-12-08T10:00:00",
        "channel": "pigeon",
        "location": {"lng": 200, "lat": "x"},
        "area": "1",
    }
    with pytest.raises(Permanent) as refused:
        read(delivery(INCIDENT | {"data": data}), REGISTRY)
    assert {error["field"] for error in refused.value.errors} == {
        "data.text",
        "data.occurred_at",
        "data.channel",
        "data.location.lng",
        "data.location.lat",
        "data.area",
    }


def test_the_wrong_fields_of_the_data_are_named_with_those_of_the_envelope():
    document = INCIDENT | {"time": "yesterday", "data": {"text": "", "channel": "video"}}
    del document["source"]
    with pytest.raises(Permanent) as refused:
        read(delivery(document), REGISTRY)
    assert refused.value.code == "bad_envelope"
    assert {error["field"] for error in refused.value.errors} == {
        "source",
        "time",
        "data.text",
        "data.occurred_at",
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_json"),
        (b"\xff\xfe", "bad_json"),
        (b"[]", "bad_json"),
        (b"{}", "bad_envelope"),
        (orjson.dumps(INCIDENT | {"type": "incident.reported.v2"}), "unknown_type"),
        (orjson.dumps(INCIDENT | {"time": "yesterday"}), "bad_envelope"),
        (orjson.dumps(INCIDENT | {"area": "14080"}), "bad_envelope"),
        (orjson.dumps(INCIDENT).replace("墙".encode(), b"\\u0000"), "bad_text"),
        (b"x" * (MAX_BODY_BYTES + 1), "too_large"),
    ],
)
def test_what_cannot_be_read_says_why(body, code):
    with pytest.raises(Permanent) as refused:
        read(delivery(body), REGISTRY)
    assert refused.value.code == code
    assert refused.value.errors


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_and_kept_as_text_a_database_takes(body):
    raw = Delivery(body)
    with pytest.raises(Permanent):
        read(raw, REGISTRY)
    assert "\x00" not in raw.text
    raw.text.encode()


def test_a_body_too_long_to_keep_is_kept_in_part_with_its_digest():
    text = Delivery(b"x" * (1024 * 1024 + 1)).text
    assert text.startswith("xxx")
    assert "1048577 bytes, sha256 " in text


def test_an_event_survives_its_wire_form():
    event = read(delivery(INCIDENT), REGISTRY)
    again = Event.from_json(event.to_json())
    assert (again.id, again.time, again.partitionkey) == (event.id, event.time, event.partitionkey)
