"""Fault 14, 23: poison of every kind is parked with its reason, its neighbours flow; a replay doubles nothing."""

import json

import pytest
import requests
from kit.probing import a_thing, restarted, told
from kit.waiting import eventually

from wangge.chassis.ids import new_id
from wangge.cli.token import sign
from wangge.contracts.envelope import MAX_BODY_BYTES

#: Good events before and after the poison, on the same keys.
NEIGHBOURS = 60
KEYS = 6
#: Times that poison may kill the process before the broker gives it up; the topology says 20, which takes minutes.
DELIVERY_LIMIT = 5

#: One lane, so that the culprit and its neighbours are delivered together.
ONE_LANE = {"WANGGE_LANES": "1"}
#: With what the probe ends where a thing kills it.
DIED = 9

UNREADABLE = {
    b"{": "bad_json",
    b"\xff\xfe\x00": "bad_json",
    b'{"specversion": "0.3"}': "bad_envelope",
    b"x" * (MAX_BODY_BYTES + 1): "too_large",
    b'{"specversion": "1.0", "id": "p-1", "source": "/w", "type": "thing.unheard.v1", '
    b'"time": "2025-01-01T00:00:00Z", "data": {}}': "unknown_type",
    b'{"specversion": "1.0", "id": "p-2", "source": "/w", "type": "thing.told.v9", '
    b'"time": "2025-01-01T00:00:00Z", "data": {}}': "unknown_type",
    b'{"specversion": "1.0", "id": "p-3", "source": "/w", "type": "thing.told.v1", '
    b'"time": "2025-01-01T00:00:00Z", "data": {"number": -1}}': "bad_data",
    b'{"specversion": "1.0", "id": "p-4", "source": "/w", "type": "thing.told.v1", '
    b'"time": "2025-01-01T00:00:00Z", "data": {"key": "\\u0000", "number": 1}}': "bad_text",
}  # fmt: skip


@pytest.fixture
def operator(servers):
    return {"Authorization": f"Bearer {sign(servers.keys_dir, 'op-1', roles=['admin'])}"}


def neighbours(first=0):
    return [a_thing(f"k{number % KEYS}", number) for number in range(first, first + NEIGHBOURS)]


def causes(world):
    return {row["event_id"]: row["cause"] for row in world.sql("SELECT event_id, cause FROM held_event")}


@pytest.mark.fault(14)
def test_unreadable_messages_of_every_kind_are_parked_with_their_reason(world):
    """Bad JSON, no UTF-8, wrong envelope, huge body, unknown type and version, wrong data, NUL in the text."""
    world.started()
    world.tell(*neighbours())
    world.tell_poison(*UNREADABLE)
    world.tell(*neighbours(NEIGHBOURS))
    world.nothing_lost_nothing_doubled()
    assert sorted(causes(world).values()) == sorted(UNREADABLE.values())


@pytest.mark.fault(14)
def test_a_handler_that_always_raises_parks_the_event_and_nothing_else(world):
    """Events whose handler raises what nobody foresaw, in the midst of good ones of the same keys."""
    world.started()
    poison = [told(new_id(), a_thing(f"k{number}", number, mood="bug")) for number in range(KEYS)]
    world.tell(*neighbours())
    world.tell_poison(*poison)
    world.tell(*neighbours(NEIGHBOURS))
    world.nothing_lost_nothing_doubled()
    assert causes(world) == {event["id"]: "bug.KeyError" for event in poison}


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    ("mood", "cause"), [("hangs", "temporary"), ("queries", "temporary"), ("escapes", "bug.Timeout")]
)
def test_a_handler_that_hangs_or_lets_a_timeout_escape_wedges_nothing(world, mood, cause):
    """A handler sleeps or queries for ever, or an `eventlet.Timeout` (no Exception) escapes it."""
    world.started(WANGGE_RETRY_ATTEMPTS="2", WANGGE_HANDLER_SECONDS="2")
    poison = told(new_id(), a_thing("odd", 1, mood=mood))
    world.tell(*neighbours())
    world.tell_poison(poison)
    world.tell(*neighbours(NEIGHBOURS))
    world.nothing_lost_nothing_doubled()
    assert causes(world) == {poison["id"]: cause}


@pytest.mark.fault(14)
@pytest.mark.timeout(300)
def test_a_message_that_kills_the_process_is_given_up_and_its_neighbours_are_not(world):
    """Each delivery of one message ends the process at once; a supervisor starts it again every time."""
    limit_deliveries(world)
    process = world.process()
    process.start(**ONE_LANE)
    poison = told(new_id(), a_thing("k1", 1, mood="dies"))
    with restarted(process, **ONE_LANE) as deaths:
        world.tell(*neighbours())
        world.tell_poison(poison)
        world.tell(*neighbours(NEIGHBOURS))
        world.nothing_lost_nothing_doubled(240)
    assert world.sql("SELECT event_id, cause, exchange FROM held_event") == [
        {"event_id": poison["id"], "cause": "delivery_limit", "exchange": "world.events"}
    ]
    assert set(deaths) == {DIED}
    assert len(deaths) == DELIVERY_LIMIT + 1


@pytest.mark.fault(1)
@pytest.mark.timeout(300)
def test_a_process_that_dies_after_each_commit_parks_nothing_that_was_processed(world):
    """kill -9 between commit and acknowledgement, at every delivery, until the broker gives the message up."""
    limit_deliveries(world)
    doomed = ONE_LANE | {"WANGGE_FAILPOINTS": "inbox.committed=kill"}
    process = world.process()
    process.start(**doomed)
    with restarted(process, **doomed) as deaths:
        world.tell(a_thing())
        eventually(lambda: len(deaths) == DELIVERY_LIMIT + 1, 240)
        world.nothing_lost_nothing_doubled(240)
    assert world.effects() == 1
    assert len(deaths) == DELIVERY_LIMIT + 1


def limit_deliveries(world):
    """An operator's policy: the lower of two limits counts, so no queue has to be made anew."""
    vhost = world.amqp_uri.rpartition("/")[2]
    policy = {
        "pattern": "^probe\\.home\\.",
        "apply-to": "queues",
        "definition": {"delivery-limit": DELIVERY_LIMIT},
    }
    world.servers.rabbitmq.call("PUT", f"/policies/{vhost}/crash-poison", policy)


@pytest.mark.fault(23)
def test_parked_poison_that_was_mended_is_replayed_to_exact_totals(world, operator):
    """Parked events are let in again once the handler is mended; each takes effect once."""
    process = world.started()
    poison = [told(new_id(), a_thing(f"k{number}", number, mood="bug")) for number in range(KEYS)]
    world.tell_poison(*poison)
    world.tell(*neighbours())
    world.nothing_lost_nothing_doubled()
    world.mend("bug")
    for held, event in zip(process.held("quarantined"), poison, strict=True):
        answer = act(process, operator, held["id"], "replay")
        assert answer.status_code == 200, answer.text
        world.ledger.mended(event, event)
    world.nothing_lost_nothing_doubled()
    again = act(process, operator, process.held("done")[0]["id"], "replay")
    assert (again.status_code, again.json()["code"]) == (409, "held.processed")


@pytest.mark.fault(23)
def test_a_parked_message_that_was_processed_meanwhile_is_not_let_in_again(world, operator):
    """A broken message is parked, its sender sends it right, then an operator corrects and replays the parked one."""
    process = world.started()
    right = told("sent-right", a_thing("k1", 1))
    broken = json.dumps({name: right[name] for name in ("specversion", "id", "source")}).encode()
    world.publish(broken)
    (held,) = eventually(lambda: process.held("quarantined"))
    world.ledger.good(right)
    world.publish(right)
    eventually(lambda: world.effects() == 1)
    in_english = operator | {"Accept-Language": "en"}
    edited = act(
        process, operator, held["id"], "edit", body=json.dumps(right, default=str), reason="cut short"
    )
    assert edited.status_code == 200, edited.text
    answer = act(process, in_english, held["id"], "replay")
    assert (answer.status_code, answer.json()["code"]) == (409, "held.processed")
    assert "drop this one instead" in answer.json()["detail"]
    assert act(process, operator, held["id"], "drop", reason="it came right").status_code == 200
    assert [row["event_id"] for row in process.held("dropped")] == ["sent-right"]
    assert world.effects() == 1


def act(process, operator, held_id, command, **body):
    url = f"{process.http}/v1/held/{held_id}/{command}"
    return requests.post(url, json=body or None, headers=operator, timeout=10)
