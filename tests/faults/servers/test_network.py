"""The network to a server stalls, forgets, resets, crawls: waits are bounded, nothing hangs, lost or doubled."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from kit import nemesis
from kit.waiting import eventually

pytestmark = pytest.mark.timeout(900)  # seconds; a busy machine restarts servers slowly

#: Seconds within which everything must go again after the network is mended: the longest wait between attempts.
AGAIN_SECONDS = 60


def spoil_black_hole(line):
    line.blackhole()


def spoil_latency(line):
    line.latency = 2.0


def spoil_crawl(line):
    line.bytes_per_second = 1000.0


def live(proxied, service):
    health = proxied.addresses.service(service).health_url
    return requests.get(f"{health}/health/live", timeout=5).json()


def all_live(proxied):
    """every process turns"""
    return all(live(proxied, service)["alive"] for service in proxied.services)


def spoiled(line, spoil, seconds, *, is_long=True):
    name = f"{line}, {spoil.__name__.removeprefix('spoil_').replace('_', ' ')}, {seconds} s"
    return pytest.param(line, spoil, seconds, id=name, marks=[pytest.mark.long] if is_long else [])


@pytest.mark.fault(7)
@pytest.mark.parametrize(
    ("line", "spoil", "seconds"),
    [
        spoiled("rabbitmq", spoil_black_hole, 12, is_long=False),
        spoiled("postgres", spoil_black_hole, 12, is_long=False),
        spoiled("rabbitmq", spoil_latency, 10),
        spoiled("postgres", spoil_latency, 10),
        spoiled("rabbitmq", spoil_crawl, 10),
        spoiled("postgres", spoil_crawl, 10),
        spoiled("rabbitmq", spoil_black_hole, 75),
        spoiled("postgres", spoil_black_hole, 75),
        spoiled("rabbitmq", spoil_latency, 60),
        spoiled("rabbitmq", spoil_crawl, 60),
    ],
)
def test_a_spoiled_network_hangs_nothing_and_loses_nothing(trial, proxied, line, spoil, seconds):
    """A black hole, 2 s of latency, or 1 KB/s between the services and a server."""
    network = proxied.lines[line]
    with trial.traffic(every=0.2):
        eventually(lambda: len(trial.sent) > 10)
        spoil(network)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            assert all_live(proxied)
            time.sleep(0.5)
        network.mend()
        before = len(trial.sent)
        eventually(lambda: len(trial.sent) > before + 10, AGAIN_SECONDS)
    trial.verify()
    assert trial.held() == []


@pytest.mark.fault(7)
@pytest.mark.parametrize("line", ["rabbitmq", "postgres"])
@pytest.mark.parametrize("blow", ["reset_mid_frame", "forget_clients"])
def test_connections_cut_in_the_middle_of_a_frame_or_forgotten_by_the_server_are_replaced(
    trial, proxied, line, blow
):
    """Connections reset in the middle of a frame, or half-open: forgotten by the server without a word."""
    with trial.traffic(every=0.1):
        for _ in range(3):
            before = len(trial.sent)
            eventually(lambda: len(trial.sent) > before + 10, AGAIN_SECONDS)  # noqa: B023 (used at once)
            getattr(proxied.lines[line], blow)()
        before = len(trial.sent)
        eventually(lambda: len(trial.sent) > before + 10, AGAIN_SECONDS)
    trial.verify()
    assert trial.held() == []


@pytest.mark.fault(7)
@pytest.mark.long
def test_a_database_that_does_not_answer_is_told_to_whoever_asks_within_bounded_time(trial, proxied):
    """A database that accepts connections and never answers, while forty requests come."""
    proxied.lines["postgres"].blackhole()
    started = time.monotonic()
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: trial.post().status_code, range(40)))
    took = time.monotonic() - started
    assert set(answers) == {503}
    assert took < 60
    assert all_live(proxied)
    proxied.lines["postgres"].mend()
    eventually(lambda: trial.post().status_code == 201, AGAIN_SECONDS)
    trial.verify()


@pytest.mark.fault(7)
def test_a_backlog_drains_through_a_line_that_is_too_slow_for_a_whole_round(trial, proxied):
    """A line of 10 KB/s, on which no round of publishing is confirmed in time."""
    with nemesis.server_down(proxied, "rabbitmq", "stop"), ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: trial.post().status_code, range(120))) == [201] * 120
        waiting = trial.pending("intake")
        proxied.lines["rabbitmq"].bytes_per_second = 10_000.0
    try:
        eventually(lambda: trial.pending("intake") < waiting / 2, 90)
    finally:
        proxied.lines["rabbitmq"].mend()
    trial.verify()
    assert trial.held() == []
