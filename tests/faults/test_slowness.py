"""Fault 17, 18, 22: a long backlog, a blocked process, a handler slower than the broker's patience."""

import time
from pathlib import Path

import pytest
import requests
from kit.probing import a_thing
from kit.waiting import eventually

#: Messages that wait when the consumer starts; most are of one key, so they pass one lane.
BACKLOG = 20_000
OTHERS = 600
KEYS = 60
#: MiB by which the process may grow while it works the backlog.
GROWTH = 64

#: Seconds that one handler lets nothing else of its process run; between heartbeats; until `/live` says no.
BLOCKED = 6.0
HEARTBEAT = 1
STUCK = 2.0

#: Seconds that the broker waits for an acknowledgement, and between its looks; that a handler takes.
PATIENCE = 2
TICK = 1
SLOW = 6.0


@pytest.mark.fault(17)
@pytest.mark.timeout(400)
def test_a_long_backlog_of_one_key_takes_bounded_memory_and_holds_no_other_lane_up(world):
    """A consumer starts on twenty thousand messages, nearly all of one key and so of one lane."""
    process = world.started()
    process.stop()
    hot = [a_thing("hot", number) for number in range(BACKLOG - OTHERS)]
    world.tell(*hot, *[a_thing(f"k{number % KEYS}", number) for number in range(OTHERS)])
    process.start(WANGGE_BATCH_SIZE="100", WANGGE_HANDLER_SECONDS="30")
    memory = [resident(process.pid)]

    def is_at(done):
        memory.append(resident(process.pid))
        return done()

    eventually(lambda: is_at(lambda: effects_of_others(world) >= OTHERS // 3), 120)
    assert world.effects() - effects_of_others(world) < BACKLOG // 2
    eventually(lambda: is_at(lambda: world.effects() == BACKLOG), 240, step=0.5)
    world.nothing_lost_nothing_doubled()
    assert max(memory) - memory[0] < GROWTH


def effects_of_others(world):
    """Events of the other keys that took effect; keys of the hot lane wait behind it rightly."""
    (row,) = world.sql("SELECT count(*) AS n FROM effect WHERE key <> 'hot'")
    return row["n"]


def resident(pid):
    """MiB of memory that a process holds."""
    (line,) = [
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")
    ]
    return int(line.split()[1]) // 1024


@pytest.mark.fault(18)
def test_a_process_blocked_by_its_handler_fails_its_liveness_and_doubles_nothing(world):
    """One handler computes for seconds: no heartbeat, no answer; the broker delivers again what was in flight."""
    process = world.started(
        WANGGE_HEARTBEAT_SECONDS=str(HEARTBEAT),
        WANGGE_STUCK_SECONDS=str(STUCK),
        WANGGE_HANDLER_SECONDS="30",
    )
    assert is_live(process)
    world.tell(
        *[a_thing(f"k{number % 9}", number) for number in range(50)],
        a_thing("k1", 99, mood="burns", seconds=BLOCKED),
    )
    eventually(lambda: not is_live(process))
    world.mend("burns")
    eventually(lambda: is_live(process), 60)
    world.nothing_lost_nothing_doubled()
    assert "consuming interrupted" in process.log.read_text()
    assert process.metric('wangge_events_total{result="repeated"') > 0


def is_live(process):
    """The process answers its supervisor, and says that it lives."""
    try:
        return requests.get(f"{process.health}/health/live", timeout=STUCK).status_code == 200
    except requests.RequestException:
        return False


@pytest.fixture
def impatient_broker(servers):
    """The broker waits for acknowledgements for seconds only; told at run time, for channels opened from now on."""
    ask = "application:set_env(rabbit, {name}, {value})."
    servers.rabbitmq.ctl("eval", ask.format(name="consumer_timeout", value=PATIENCE * 1000))
    servers.rabbitmq.ctl("eval", ask.format(name="channel_tick_interval", value=TICK * 1000))
    yield
    servers.rabbitmq.ctl("eval", ask.format(name="consumer_timeout", value=1_800_000))
    servers.rabbitmq.ctl("eval", ask.format(name="channel_tick_interval", value=60_000))


@pytest.mark.fault(22)
@pytest.mark.usefixtures("impatient_broker")
def test_a_handler_slower_than_the_brokers_patience_takes_effect_once(world):
    """consumer_timeout passes while a handler works: the channel is closed, the message delivered again."""
    process = world.started(WANGGE_HANDLER_SECONDS="30")
    world.tell(
        a_thing("k1", 0, mood="slow", seconds=SLOW), *[a_thing("k1", number) for number in range(1, 30)]
    )
    eventually(lambda: "interrupted" in process.log.read_text(), 60)
    assert "delivery acknowledgement" in process.log.read_text()
    started = time.monotonic()
    world.nothing_lost_nothing_doubled()
    assert time.monotonic() - started < 60
