"""Fault 4, 13: a process that wakes up late and a storm of duplicates double nothing."""

import random
import signal
from pathlib import Path

import pytest
from kit.probing import a_thing, told
from kit.waiting import eventually

from wangge.chassis.ids import new_id

#: Different events, copies of each, and processes that share the queues.
EVENTS = 400
COPIES = 10
PROCESSES = 4

#: Seconds between heartbeats; the broker gives a connection up after two of them without a sign.
HEARTBEAT = 1
#: Events of the stream during which a process stands still, their keys, and the batch in which it does.
STREAM = 1000
KEYS = 20
BATCH = 5


@pytest.mark.fault(13)
def test_a_storm_of_shuffled_duplicates_takes_effect_once_each(world):
    """Each event is published ten times, all shuffled, to four processes."""
    for process in [world.process() for _ in range(PROCESSES)]:
        process.start()
    events = [told(new_id(), a_thing(f"k{number % 50}", number)) for number in range(EVENTS)]
    storm = events * COPIES
    random.Random(13).shuffle(storm)
    world.ledger.good(*events)
    world.publish(*storm)
    world.nothing_lost_nothing_doubled()
    heard = world.sql("SELECT sum(times) AS n FROM heard")
    assert heard == [{"n": EVENTS}]


@pytest.mark.fault(4)
def test_a_process_that_stood_still_past_its_heartbeats_doubles_nothing_when_it_wakes(world):
    """SIGSTOP inside a transaction for more than two heartbeats; a replica takes over; SIGCONT, a late commit."""
    env = {"WANGGE_HEARTBEAT_SECONDS": str(HEARTBEAT), "WANGGE_HANDLER_SECONDS": "30"}
    zombie = world.started(**env, WANGGE_FAILPOINTS=f"inbox.handled=stop@{BATCH}")
    peer = world.started(**env)
    world.tell(*[a_thing(f"k{number % KEYS}", number) for number in range(STREAM)])
    eventually(lambda: is_stopped(zombie.pid))
    eventually(lambda: is_waited_for(world), 60)
    zombie.send(signal.SIGCONT)
    world.nothing_lost_nothing_doubled()
    assert zombie.exit_code is None
    assert peer.metric('wangge_events_total{result="repeated"') > 0


def is_waited_for(world):
    """The peer was given what the zombie has in hand, and waits for its transaction."""
    (row,) = world.sql(
        "SELECT count(*) AS n FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'transactionid'"
    )
    return row["n"]


def is_stopped(pid):
    """The process stands still."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return stat.rpartition(")")[2].split()[0] == "T"
