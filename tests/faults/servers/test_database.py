"""PostgreSQL goes away, dies in a commit, turns read-only, ends connections, fills up: no attempt of a message is spent."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from kit import nemesis
from kit.waiting import eventually

pytestmark = pytest.mark.timeout(900)  # seconds; a busy machine restarts servers slowly


def lasting(seconds, block):
    """Keep a fault for as long as that, while traffic goes on."""
    with block:
        time.sleep(seconds)


@pytest.mark.fault(10)
@pytest.mark.parametrize("seconds", [8, pytest.param(60, marks=pytest.mark.long)])
def test_a_database_that_is_down_stops_the_work_and_no_attempt_is_spent(trial, proxied, seconds):
    """PostgreSQL is down for seconds (a minute in the long variant)."""
    with trial.traffic():
        eventually(lambda: len(trial.sent) > 20)
        lasting(seconds, nemesis.server_down(proxied, "postgres", "stop"))
        before = len(trial.sent)
        eventually(lambda: len(trial.sent) > before + 20, 60)
    trial.verify()
    assert trial.held() == []


@pytest.mark.fault(10)
def test_a_database_that_dies_in_the_middle_of_commits_leaves_no_doubt(trial, proxied):
    """PostgreSQL is killed in the middle of commits, three times."""
    with trial.traffic(every=0.02):
        for _ in range(3):
            before = len(trial.sent)
            eventually(lambda: len(trial.sent) > before + 20, 60)  # noqa: B023 (used at once)
            lasting(0.2, nemesis.server_down(proxied, "postgres", "kill"))
    trial.verify()
    assert trial.held() == []


@pytest.mark.fault(10)
def test_a_database_that_takes_no_writes_is_waited_for(trial, proxied):
    """PostgreSQL is read-only, as a standby after a wrong failover."""
    with trial.traffic():
        eventually(lambda: len(trial.sent) > 10)
        with nemesis.read_only(proxied):
            eventually(lambda: trial.post().status_code == 503)
            time.sleep(5)
    trial.verify()
    assert trial.held() == []


@pytest.mark.fault(10)
def test_a_right_that_is_taken_away_and_given_back_puts_nothing_into_quarantine(trial, proxied):
    """A service's right to write a table is taken away and given back."""
    with trial.traffic():
        nemesis.execute(proxied, "REVOKE INSERT ON cases FROM dispatch", database="dispatch")
        time.sleep(3)
        nemesis.execute(proxied, "GRANT INSERT ON cases TO dispatch", database="dispatch")
    trial.verify()
    assert trial.held() == []


@pytest.mark.fault(10)
def test_a_storm_of_terminated_connections_loses_and_doubles_nothing(trial, proxied):
    """Every connection of every service is ended five times a second."""
    with trial.traffic():
        for _ in range(40):
            nemesis.terminate_backends(proxied)
            time.sleep(0.2)
    trial.verify()
    assert trial.held() == []


@pytest.mark.fault(10)
@pytest.mark.long
def test_too_few_connections_make_work_wait_and_spend_no_attempt(trial, proxied):
    """The database takes two connections of a service at most."""
    change, back = "CONNECTION LIMIT 2", "CONNECTION LIMIT -1"
    with trial.traffic():
        lasting(10, nemesis.role_altered(proxied, "dispatch", change, back))
    trial.verify()
    assert trial.held() == []


@pytest.mark.fault(10)
@pytest.mark.long
def test_a_pool_that_is_exhausted_makes_work_wait_and_spends_no_attempt(trial, proxied):
    """A pool of one connection, a table locked, thirty readers at once."""
    proxied.stop_service("dispatch")
    proxied.start_service("dispatch", {"WANGGE_POOL_SIZE": "1"})
    locked = threading.Thread(target=nemesis.hold_lock, args=(proxied, "dispatch", "cases", 8.0))
    url = proxied.addresses.service("dispatch").http_url
    headers = {"Authorization": f"Bearer {trial.town.operator.token}"}
    with trial.traffic(), ThreadPoolExecutor(30) as pool:
        locked.start()
        answers = list(
            pool.map(
                lambda _: requests.get(f"{url}/v1/cases", headers=headers, timeout=60).status_code, range(30)
            )
        )
        locked.join()
    assert set(answers) <= {200, 503}
    trial.verify()
    assert [held for held in trial.held() if held["state"] != "done"] == []
    proxied.stop_service("dispatch")


@pytest.mark.fault(10)
def test_a_lock_that_is_held_for_long_defers_and_everything_takes_effect_once(trial, proxied):
    """A table locked for longer than the lock timeout."""
    locked = threading.Thread(target=nemesis.hold_lock, args=(proxied, "dispatch", "cases", 13.0))
    with trial.traffic(every=0.5):
        locked.start()
        locked.join()
    trial.verify()
    assert {held["state"] for held in trial.held()} <= {"done"}


@pytest.mark.fault(10)
def test_serialization_failures_are_tried_again_until_all_took_effect_once(trial, proxied):
    """All transactions serializable, with conflicts on purpose."""
    change = "SET default_transaction_isolation = 'serializable'"
    back = "RESET default_transaction_isolation"
    with (
        nemesis.role_altered(proxied, "intake", change, back),
        nemesis.role_altered(proxied, "dispatch", change, back),
        trial.traffic(every=0.02),
        ThreadPoolExecutor(8) as pool,
    ):
        list(pool.map(lambda _: trial.post(), range(60)))
    trial.verify()
    assert {held["state"] for held in trial.held()} <= {"done"}


@contextmanager
def small_disk(megabytes: int, place: Path) -> Iterator[Path]:
    """A disk of its own of this size, which PostgreSQL may use."""
    place.mkdir(parents=True)
    place.parent.chmod(0o711)
    options = f"size={megabytes}m,mode=0700"
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"a disk of its own cannot be mounted here: {made.stderr.strip()}")
    subprocess.run(["chown", "postgres:postgres", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@contextmanager
def database_on(proxied, service: str, place: Path) -> Iterator[None]:
    """A service's database on another disk, and back on the usual one afterwards."""
    nemesis.execute(proxied, f"CREATE TABLESPACE small LOCATION '{place}'")
    move(proxied, service, "small")
    try:
        yield
    finally:
        move(proxied, service, "pg_default")
        nemesis.execute(proxied, "DROP TABLESPACE small")


def move(proxied, service, tablespace):
    proxied.stop_service(service)
    nemesis.execute(proxied, f"ALTER DATABASE {service} SET TABLESPACE {tablespace}")
    proxied.start_service(service)


@pytest.mark.fault(11)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_means_no_acknowledgement_without_a_commit(trial, proxied):
    """The disk under a service's database is full."""
    place = proxied.directory / "disks" / "small"
    with small_disk(40, place), database_on(proxied, "dispatch", place):
        fill(proxied, "dispatch")
        with trial.traffic():
            eventually(lambda: len(trial.sent) > 40)
            eventually(lambda: "No space left" in log_of(proxied, "dispatch"), 60)
            eventually(lambda: unacknowledged(proxied, "dispatch") > 0, 30)
            nemesis.execute(proxied, "DROP TABLE filler", database="dispatch")
        trial.verify()
        assert trial.held() == []


def fill(proxied, service):
    """Leave the database's disk without a free page."""
    nemesis.execute(proxied, "CREATE TABLE filler (stuff text)", database=service)
    for size in (100_000, 1000, 100):
        while not is_full(proxied, service, size):
            pass


def is_full(proxied, service, size):
    stuff = "INSERT INTO filler SELECT repeat(md5(n::text), 3) FROM generate_series(1, %s) n"
    try:
        nemesis.execute(proxied, stuff, size, database=service)
    except nemesis.psycopg2.Error:
        return True
    return False


def log_of(proxied, service):
    return proxied.service(service).process.log.read_text(encoding="utf-8", errors="replace")


def unacknowledged(proxied, service):
    rows = proxied.rabbitmq.call("GET", "/queues/%2F?columns=name,messages")
    return sum(row["messages"] for row in rows if row["name"].startswith(f"{service}.home"))
