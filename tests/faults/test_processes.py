"""Fault 1, 2, 3: services die or restart at the worst instants while incidents flow; all four are real."""

import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from kit.load import Load
from kit.quiescence import nothing_lost_nothing_doubled
from kit.waiting import eventually

from wangge.cli.local import SERVICES

#: Services that a stream of incidents keeps busy by itself; points hears closings only.
BUSY = ("intake", "dispatch", "notify")
#: At which pass of a point the process kills itself.
PASS = 3
#: Rounds of restarting every service under load.
ROLLING = 2


@pytest.fixture(scope="module")
def load(town, ledger):
    return Load(town, ledger)


@pytest.mark.fault(1)
@pytest.mark.parametrize(
    "point", ["inbox.begun", "inbox.handled", "inbox.committed", "consumer.acknowledged"]
)
def test_a_consumer_killed_before_in_or_after_its_transaction_loses_and_doubles_nothing(
    fragile, reader, ledger, load, point
):
    """kill -9 of the consumers of three services: before the transaction, in it, before and after the ack."""
    with load.flowing():
        die_at(fragile, BUSY, point)
    nothing_lost_nothing_doubled(reader, ledger)


@pytest.mark.fault(2)
@pytest.mark.parametrize("point", ["relay.selected", "relay.confirmed"])
def test_a_relay_killed_before_publishing_or_before_marking_loses_and_doubles_nothing(
    fragile, reader, ledger, load, point
):
    """kill -9 of two relays: before publishing, and between the broker's confirm and the mark."""
    with load.flowing():
        die_at(fragile, ("intake", "dispatch"), point)
    nothing_lost_nothing_doubled(reader, ledger)


def die_at(fragile, services, point):
    """Each service kills itself at the point, once, and is started again; all at the same time."""
    with ThreadPoolExecutor(len(services)) as pool:
        list(pool.map(lambda service: die_once(fragile, service, point), services))


def die_once(fragile, service, point):
    """Restart a service that is to kill itself, wait until it has, start it as it should be."""
    process = fragile.service(service).process
    fragile.stop_service(service)
    fragile.start_service(service, {"WANGGE_FAILPOINTS": f"{point}=kill@{PASS}"}, wait=False)
    eventually(lambda: process.pid is None, 90)
    assert "failpoint reached" in process.log_tail()
    fragile.start_service(service)


@pytest.mark.fault(3)
@pytest.mark.timeout(400)
def test_restarting_every_service_under_load_redelivers_nothing_that_was_committed(
    fragile, reader, ledger, load
):
    """SIGTERM to every service in turn, twice, while incidents flow."""
    known = {service: repetitions(fragile, service) for service in SERVICES}
    repeated = Counter(dict.fromkeys(SERVICES, 0))
    with load.flowing():
        for service in [*SERVICES] * ROLLING:
            time.sleep(0.5)  # some load on the present process
            repeated[service] += repetitions(fragile, service) - known[service]
            fragile.stop_service(service)
            fragile.start_service(service)
            known[service] = 0
    nothing_lost_nothing_doubled(reader, ledger)
    for service in SERVICES:
        repeated[service] += repetitions(fragile, service) - known[service]
    assert repeated == dict.fromkeys(SERVICES, 0)


def repetitions(fragile, service):
    """How many deliveries the present process has found processed already."""
    (address,) = [each for each in fragile.addresses.services if each.name == service]
    text = requests.get(f"{address.health_url}/metrics", timeout=10).text
    found = re.findall(r'^wangge_events_total\{[^}]*result="repeated"[^}]*\} (\S+)$', text, re.MULTILINE)
    return sum(map(float, found))
