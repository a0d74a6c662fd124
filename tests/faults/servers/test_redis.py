"""Redis is emptied, stopped, silent: boards and the search for near duplicates are right all the same."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count

import pytest
from kit import nemesis
from kit.load import carry_to_the_end
from kit.waiting import eventually

pytestmark = pytest.mark.timeout(900)  # seconds; a busy machine restarts servers slowly

#: A place for each pair of reports, far enough from the others.
PLACES = count()


@contextmanager
def emptied(system):
    nemesis.redis_client(system).flushall()
    yield


@contextmanager
def silent(system):
    nemesis.redis_client(system).execute_command("CLIENT", "PAUSE", "60000", "ALL")
    try:
        yield
    finally:
        system.kill_server("redis")  # a paused Redis takes no command that would end the pause
        system.start_server("redis")


def down(system):
    return nemesis.server_down(system, "redis")


def two_tell_of_one_place(trial):
    """A grid worker's report, and another's of the same thing a metre away: what became of the second."""
    shift = next(PLACES) * 0.0012
    codes = [
        trial.town.act(
            "hx-worker-1", "intake", "POST", "/v1/reports", at(110.98860 + metre, 35.0300 + shift)
        )["code"]
        for metre in (0.0, 0.00001)
    ]
    return codes[0], trial.town.operator.call("intake", "GET", f"/v1/reports/{codes[1]}")


def at(lng, lat):
    now = datetime.now(UTC).isoformat()
    return {
        "text": "家属院北院门口墙体脱落",
        "channel": "grid_visit",
        "category": "E0596",
        "occurred_at": now,
        "location": {"lng": lng, "lat": lat, "address": "电业局家属院北院门口"},
    }


def board(trial):
    (period,) = {row["period"] for row in recorded(trial)}
    items = trial.town.operator.all("points", f"/v1/boards/{period}", area=trial.town.area)
    return {item["person_id"]: Decimal(str(item["total"])) for item in items if Decimal(str(item["total"]))}


def recorded(trial):
    return trial.reader.rows("points", "SELECT period, person_id, total FROM board_rows WHERE total <> 0")


def the_board_is_right(trial):
    assert board(trial) == {row["person_id"]: row["total"] for row in recorded(trial)}
    return True


def credited(trial):
    """A case carried to its end, which credits its helper."""
    before = trial.reader.rows("points", "SELECT count(*) AS n FROM entries")[0]["n"]
    trial.publish()
    case = trial.town.case_of(report_of(trial, trial.sent[-1]), "dispatched")
    carry_to_the_end(trial.town, case["case_no"])
    eventually(lambda: trial.reader.rows("points", "SELECT count(*) AS n FROM entries")[0]["n"] > before, 60)


def report_of(trial, event):
    return trial.town.receipt("hotline12345", event["id"])["report_code"]


@pytest.mark.fault(12)
@pytest.mark.parametrize("fault", [emptied, down, silent], ids=["FLUSHALL", "down", "CLIENT PAUSE"])
def test_near_duplicates_are_found_and_boards_are_right_whatever_redis_does(trial, proxied, fault):
    """Redis is emptied (FLUSHALL), down, or silent (CLIENT PAUSE)."""
    first, second = two_tell_of_one_place(trial)
    assert second["of"] == first
    credited(trial)
    with fault(proxied):
        first, second = two_tell_of_one_place(trial)
        assert second["of"] == first
        credited(trial)
        eventually(lambda: the_board_is_right(trial))
    first, second = two_tell_of_one_place(trial)
    assert second["of"] == first
    eventually(lambda: the_board_is_right(trial))
    trial.verify()
    assert trial.held() == []


@pytest.mark.fault(12)
@pytest.mark.long
def test_a_silent_redis_slows_nothing_down_for_long(trial, proxied):
    """Redis takes connections and answers nothing while reports come."""
    with silent(proxied), ThreadPoolExecutor(4) as pool:
        started = time.monotonic()
        list(pool.map(lambda _: two_tell_of_one_place(trial), range(8)))
        assert time.monotonic() - started < 40
    trial.verify()
