"""Fault 15, 16: gaps, failover and retries never reorder a key; a late commit is never skipped."""

import signal

import psycopg2
import pytest
from kit.probing import a_thing, told
from kit.waiting import eventually

from wangge.chassis.ids import new_id

#: Events and keys of a stream during which the active consumer dies.
STREAM = 2500
KEYS = 30
#: Events behind a head that has to be tried again.
BEHIND = 20
#: Facts committed while a transaction with a lower number is still open.
OVERTAKING = 30


@pytest.mark.fault(15)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_consumer_that_ends_mid_stream_hands_over_to_its_replica_in_order(world, how):
    """The active consumer of every lane is killed (-9) or drained mid-stream; a replica takes over."""
    active = world.started()
    world.started()
    world.tell(*[a_thing(f"k{number % KEYS}", number) for number in range(STREAM)])
    eventually(lambda: world.effects() > STREAM // 10)
    active.stop(how)
    assert world.effects() < STREAM
    world.nothing_lost_nothing_doubled()


@pytest.mark.fault(15)
def test_a_retried_event_keeps_all_later_ones_of_its_key_behind_it(world):
    """The first event of a key fails for a while; the later ones are held behind it, other keys flow."""
    world.started()
    world.tell(*[a_thing("held", number, mood="well" if number else "away") for number in range(BEHIND)])
    world.tell(a_thing("free", 0))
    eventually(lambda: world.reader.pulse().deferred == BEHIND and world.effects() == 1)
    world.mend("away")
    world.nothing_lost_nothing_doubled()


@pytest.mark.fault(15)
def test_events_that_arrive_out_of_order_and_with_a_gap_take_effect_once_each(world):
    """Numbers arrive turned round, one of them minutes late: nothing waits for ever, nothing is lost."""
    world.started()
    late, *others = [told(new_id(), a_thing("gap", number)) for number in range(BEHIND)]
    world.ledger.good(late, *others)
    world.publish(*reversed(others))
    eventually(lambda: world.effects() == BEHIND - 1)
    world.publish(late)
    world.nothing_lost_nothing_doubled()


@pytest.mark.fault(16)
def test_a_transaction_with_a_lower_number_that_commits_last_is_published_too(world):
    """A long transaction takes outbox numbers first and commits after later ones were published."""
    world.started()
    with psycopg2.connect(world.database_uri.replace("+psycopg2", "")) as slow:
        tell_by_hand(slow, "slow")
        world.tell(*[a_thing(f"k{number}", number) for number in range(OVERTAKING)])
        eventually(lambda: published(world) == OVERTAKING)
        assert min_pending(world) is None  # nobody sees it yet
    slow.close()
    eventually(lambda: published(world) == OVERTAKING + 1)
    (first,) = world.sql("SELECT subject FROM outbox ORDER BY id LIMIT 1")
    assert first["subject"] == "slow"
    world.sql("DELETE FROM outbox WHERE subject = 'slow'")  # told by hand, so no event of the world caused it
    world.nothing_lost_nothing_doubled()


def tell_by_hand(connection, subject):
    """What a transaction of the probe does at its end, not committed."""
    connection.cursor().execute(
        "INSERT INTO outbox (event_id, type, subject, sequence, exchange, routing_key, partitionkey, body) "
        "VALUES (%s, 'thing.done.v1', %s, 1, 'probe.events', 'thing.done.14', %s, '{}')",
        (new_id(), subject, subject),
    )


def published(world):
    (row,) = world.sql("SELECT count(*) AS n FROM outbox WHERE published_at IS NOT NULL")
    return row["n"]


def min_pending(world):
    (row,) = world.sql("SELECT min(id) AS id FROM outbox WHERE published_at IS NULL")
    return row["id"]
