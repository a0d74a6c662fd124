"""The bus loses nothing and doubles nothing, whatever a handler does."""

import signal
import threading
from collections import defaultdict

import pytest


def a_thing(key="k1", number=1, **more):
    return {"key": key, "number": number, **more}


def effect_ids(probe):
    return [row["event_id"] for row in probe.effects()]


def test_an_event_takes_effect_and_its_fact_is_published(probe, eventually):
    (event_id,) = probe.tell(a_thing())
    eventually(lambda: effect_ids(probe) == [event_id])
    published = eventually(lambda: probe.sql("SELECT * FROM outbox WHERE published_at IS NOT NULL"))
    assert [(row["type"], row["routing_key"], row["sequence"]) for row in published] == [
        ("thing.done.v1", "thing.done.14.08.02", 1)
    ]


def test_the_same_event_sent_three_times_takes_effect_once(probe, eventually):
    thing = a_thing()
    probe.tell(thing, thing, thing, ids=["same", "same", "same"])
    probe.tell(a_thing(number=2), ids=["last"])
    eventually(lambda: "last" in effect_ids(probe))
    assert effect_ids(probe) == ["same", "last"]
    assert probe.sql("SELECT 1 FROM mended WHERE what = 'repeated same'")


def test_an_event_whose_commit_is_not_known_of_is_not_taken_for_one_that_was_sent_again(
    probe, another_probe, eventually
):
    """Else its sender would be answered twice."""
    probe.stop(signal.SIGTERM)
    another_probe.start(WANGGE_FAILPOINTS="inbox.committed=lose@1")
    probe.tell(a_thing(), a_thing("k2"), ids=["first", "second"])
    eventually(lambda: sorted(effect_ids(probe)) == ["first", "second"])
    eventually(lambda: another_probe.metric('wangge_events_total{result="repeated"') == 1)
    assert not probe.sql("SELECT 1 FROM mended WHERE what LIKE 'repeated%%'")


def test_two_nouns_may_handle_one_event_and_succeed_or_fail_together(probe, eventually):
    probe.tell(a_thing("k1", 1), a_thing("k2", 2, mood="away"))
    eventually(lambda: len(probe.effects()) == 1 and probe.held("deferred"))
    assert probe.sql("SELECT key, times FROM heard") == [{"key": "k1", "times": 1}]
    probe.sql("INSERT INTO mended VALUES ('away')")
    eventually(lambda: len(probe.effects()) == 2)
    assert probe.sql("SELECT key, times FROM heard ORDER BY key") == [
        {"key": "k1", "times": 1},
        {"key": "k2", "times": 1},
    ]


def test_events_of_one_key_keep_their_order(probe, eventually):
    probe.tell(*[a_thing(f"k{number % 5}", number) for number in range(200)])
    eventually(lambda: len(probe.effects()) == 200)
    by_key = defaultdict(list)
    for row in probe.effects():
        by_key[row["key"]].append(row["number"])
    assert all(numbers == sorted(numbers) for numbers in by_key.values())


def test_unreadable_messages_are_quarantined_and_the_neighbours_unharmed(probe, eventually):
    wrong = {
        b"{": "bad_json",
        b'{"specversion":"0.3"}': "bad_envelope",
        b"x" * (256 * 1024 + 1): "too_large",
        b'{"specversion":"1.0","id":"1","source":"/w","type":"thing.told.v9","time":"2025-01-01T00:00:00Z",'
        b'"data":{}}': "unknown_type",
        b'{"specversion":"1.0","id":"2","source":"/w","type":"thing.told.v1","time":"2025-01-01T00:00:00Z",'
        b'"data":{"number":-1,"mood":"odd"}}': "bad_data",
    }
    (before,) = probe.tell(a_thing(number=1))
    probe.publish(*wrong)
    (after,) = probe.tell(a_thing(number=2))
    eventually(lambda: len(probe.held("quarantined")) == len(wrong))
    eventually(lambda: effect_ids(probe) == [before, after])
    held = {row["cause"]: row for row in probe.held("quarantined")}
    assert set(held) == set(wrong.values())
    assert {error["field"] for error in held["bad_data"]["errors"]} == {
        "data.key",
        "data.number",
        "data.mood",
    }
    assert {error["field"] for error in held["bad_envelope"]["errors"]} == {
        "specversion", "id", "source", "type", "time", "data",
    }  # fmt: skip


def test_a_temporary_failure_is_tried_again_and_later_events_of_its_key_wait_in_order(probe, eventually):
    told = probe.tell(*[a_thing("k1", number, mood="away" if number == 0 else "well") for number in range(5)])
    (other,) = probe.tell(a_thing("k2", 9))
    eventually(lambda: other in effect_ids(probe))
    eventually(lambda: len(probe.held("deferred")) == 5)
    assert effect_ids(probe) == [other]
    probe.sql("INSERT INTO mended VALUES ('away')")
    eventually(lambda: effect_ids(probe) == [other, *told])
    assert len(probe.held("done")) == 5


def test_a_refusal_settles_the_message(probe, eventually):
    told = probe.tell(a_thing(mood="no"), a_thing(number=2))
    eventually(lambda: effect_ids(probe) == told[1:])
    assert probe.sql("SELECT refused FROM inbox WHERE event_id = %s", told[0]) == [{"refused": "thing.no"}]
    assert probe.sql("SELECT * FROM held_event") == []


@pytest.mark.parametrize("mood", ["hangs", "escapes"])
def test_a_handler_that_hangs_or_lets_a_timeout_escape_wedges_nothing(probe, eventually, mood):
    (odd,) = probe.tell(a_thing("k1", 1, mood=mood))
    (well,) = probe.tell(a_thing("k1x", 2))
    eventually(lambda: well in effect_ids(probe))
    eventually(
        lambda: [row["event_id"] for row in probe.held("deferred") + probe.held("quarantined")] == [odd]
    )
    assert effect_ids(probe) == [well]


@pytest.fixture
def stream(probe):
    """600 events being published in the background."""
    things = [a_thing(f"k{number}", number) for number in range(600)]
    publishing = threading.Thread(target=lambda: probe.tell(*things))
    publishing.start()
    yield publishing
    publishing.join()


def test_a_stop_under_load_redelivers_nothing_that_was_processed(probe, eventually, stream):
    eventually(lambda: len(probe.effects()) > 40)
    assert probe.stop() == 0
    assert len(probe.effects()) < 600
    stream.join()
    probe.start()
    eventually(lambda: len(probe.effects()) == 600, 40)
    assert len(set(effect_ids(probe))) == 600
    assert probe.metric('wangge_events_total{result="repeated"') == 0


def test_a_killed_process_leaves_nothing_lost_or_doubled(probe, eventually, stream):
    eventually(lambda: len(probe.effects()) > 40)
    probe.stop(signal.SIGKILL)
    assert len(probe.effects()) < 600
    stream.join()
    probe.start()
    eventually(lambda: len(probe.effects()) == 600, 40)
    assert len(set(effect_ids(probe))) == 600
    eventually(lambda: not probe.sql("SELECT 1 FROM outbox WHERE published_at IS NULL"))
