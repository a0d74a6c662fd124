"""A cell takes its areas over and gives them back; nothing is lost, doubled or out of order, and mistakes are refused."""

import signal
import threading
from collections import Counter, defaultdict

import orjson
import pytest
import requests

from wangge.chassis.ids import new_id
from wangge.cli.local import LocalSystem
from wangge.cli.token import sign

#: 杏花岭, as its office writes it; and a street that stays with home.
XINGHUA, ELSEWHERE = "14.01.09.004", "14.08.02.002"
THE_CELL = {"WANGGE_CELL": "xinghua", "WANGGE_AREAS": XINGHUA, "WANGGE_HAND_OVER_SECONDS": "1"}
KEYS = 16


@pytest.fixture
def home(probe):
    """The probe as home, quick to hand over."""
    probe.stop()
    probe.start(WANGGE_HAND_OVER_SECONDS="1")
    return probe


@pytest.fixture
def operator(servers: LocalSystem) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {sign(servers.keys_dir, 'op-1', roles=['admin'])}",
        "Accept-Language": "en",
    }


@pytest.fixture
def ask(home, operator):
    def ask(method, path, body=None):
        answer = requests.request(
            method, f"{home.http}/v1/cells{path}", json=body, headers=operator, timeout=30
        )
        return answer.status_code, answer.json()

    return ask


@pytest.fixture
def state_of(home):
    def state_of(name):
        rows = home.sql("SELECT state FROM cell WHERE name = %s", name)
        return rows[0]["state"] if rows else None

    return state_of


def tell(probe, numbers, area=f"{XINGHUA}.901", mood="well", story=0):
    """Events `numbers` of `KEYS` keys of an area; another `story` has keys of its own."""
    bodies, names = [], []
    for number in numbers:
        thing = {"key": f"{area}-{story}-{number % KEYS}", "number": number, "mood": mood}
        names.append(thing["key"])
        bodies.append(an_event(thing))
    probe.publish(*bodies, keys=names, areas=[area] * len(bodies))


def an_event(thing):
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": new_id(),
            "source": "/wangge/world",
            "type": "thing.told.v1",
            "subject": thing["key"],
            "time": "2025-01-01T00:00:00Z",
            "data": thing,
        }
    )


def once_and_in_order(probe, numbers):
    """Every event took effect once, those of a key in their order."""
    effects = probe.effects()
    assert Counter(row["number"] for row in effects) == Counter(numbers)
    by_key = defaultdict(list)
    for row in effects:
        by_key[row["key"]].append(row["number"])
    assert all(told == sorted(told) for told in by_key.values())
    return True


def cells_of(probe, numbers):
    wanted = set(numbers)
    return {row["cell"] for row in probe.effects() if row["number"] in wanted}


def test_a_cell_takes_the_events_of_its_areas_alone_and_says_who_it_is(
    home, another_probe, eventually, state_of
):
    another_probe.start(**THE_CELL)
    eventually(lambda: state_of("xinghua") == "open")
    tell(home, range(20))
    tell(home, range(20, 40), area=f"{ELSEWHERE}.902")

    eventually(lambda: once_and_in_order_now(home, range(40)))
    assert cells_of(home, range(20)) == {"xinghua"}
    assert cells_of(home, range(20, 40)) == {"home"}

    ready = requests.get(f"{another_probe.health}/health/ready", timeout=5).json()
    assert (ready["cell"], ready["areas"]) == ("xinghua", ["140109004"])
    metrics = requests.get(f"{another_probe.health}/metrics", timeout=5).text
    assert 'wangge_cell_info{areas="140109004",cell="xinghua",service="probe"} 1.0' in metrics
    lines = another_probe.log.read_text().splitlines()
    logged = [orjson.loads(line) for line in lines if line.startswith("{")]
    assert {(line["service"], line["cell"]) for line in logged} == {("probe", "xinghua")}


def once_and_in_order_now(probe, numbers):
    return len(probe.effects()) == len(numbers) and once_and_in_order(probe, numbers)


def test_what_home_still_has_comes_before_what_the_new_cell_gets(home, another_probe, eventually, state_of):
    home.send(signal.SIGSTOP)
    tell(home, range(32), mood="away")
    tell(home, range(32, 64))
    another_probe.start(**THE_CELL)
    tell(home, range(64, 128))
    eventually(lambda: len(home.held("in_transit")) == 64)
    assert home.effects() == []

    home.send(signal.SIGCONT)
    eventually(lambda: state_of("xinghua") == "open", 60)
    tell(home, range(128, 160))
    home.sql("INSERT INTO mended VALUES ('away')")

    eventually(lambda: once_and_in_order_now(home, range(160)), 60)
    assert home.held("in_transit") == []


def test_what_a_closing_cell_still_has_comes_before_what_home_gets(
    home, another_probe, eventually, state_of, ask
):
    another_probe.start(**THE_CELL)
    eventually(lambda: state_of("xinghua") == "open")
    another_probe.send(signal.SIGSTOP)
    tell(home, range(64))
    assert ask("POST", "/xinghua/close")[1]["state"] == "closing"
    eventually(lambda: home.sql("SELECT 1 FROM cell WHERE name = 'xinghua' AND switched_at IS NOT NULL"))
    tell(home, range(64, 128))
    tell(home, range(128, 144), area=ELSEWHERE)
    eventually(lambda: len(home.held("in_transit")) == 64)
    eventually(lambda: len(home.effects()) == 16)
    assert cells_of(home, range(128, 144)) == {"home"}

    status, told = ask("POST", "/xinghua/emptied")
    assert (status, told["code"]) == (409, "cell.holds_work")
    another_probe.send(signal.SIGCONT)
    eventually(lambda: state_of("xinghua") == "empty", 60)
    eventually(lambda: once_and_in_order_now(home, range(144)), 60)
    assert cells_of(home, range(64)) == {"xinghua"}
    assert cells_of(home, range(64, 128)) <= {"home", "xinghua"}  # released events go to whoever is free

    status, told = ask("DELETE", "/xinghua")
    assert (status, told["code"]) == (409, "cell.attended")
    another_probe.stop()
    assert ask("DELETE", "/xinghua")[0] == 200
    assert ask("GET", "")[1]["items"] == [
        {
            "name": "home", "state": "open", "areas": [], "lanes": 4, "is_shared": True, "held_back": 0,
            "awaiting": [], "queues": [f"probe.home.{lane}" for lane in range(4)],
        }
    ]  # fmt: skip
    tell(home, range(144, 160))
    eventually(lambda: once_and_in_order_now(home, range(160)))


@pytest.mark.timeout(600)
def test_a_cell_opened_and_closed_under_load_loses_and_doubles_nothing_and_keeps_the_order(
    home, another_probe, eventually, state_of, ask
):
    told = []
    is_over = threading.Event()

    def keep_telling():
        while not is_over.is_set():
            numbers = range(len(told), len(told) + 40)
            area = ELSEWHERE if len(told) % 160 == 120 else f"{XINGHUA}.901"
            tell(
                home, numbers, area=area, story=len(told) // 480
            )  # as a case: some thirty events, then no more
            told.extend(numbers)
            is_over.wait(0.5)

    telling = threading.Thread(target=keep_telling)
    telling.start()
    try:
        eventually(lambda: len(home.effects()) > 40, 60)
        another_probe.start(**THE_CELL)
        eventually(lambda: state_of("xinghua") == "open", 90)
        eventually(lambda: "xinghua" in {row["cell"] for row in home.effects()}, 60)
        ask("POST", "/xinghua/close")
        eventually(lambda: state_of("xinghua") == "empty", 180)
    finally:
        is_over.set()
        telling.join()
    eventually(lambda: len(home.effects()) >= len(told), 180)
    assert once_and_in_order(home, range(len(told)))
    assert home.held("in_transit") + home.held("deferred") == []
    assert len(home.held("done")) > 0  # something was held back, so the order was at stake


def test_two_replicas_share_a_cell_in_order_and_a_killed_one_hands_over(
    home, another_probe, third_probe, eventually, state_of
):
    another_probe.start(**THE_CELL)
    third_probe.start(**THE_CELL)
    eventually(lambda: state_of("xinghua") == "open")
    telling = threading.Thread(target=lambda: tell(home, range(800)))
    telling.start()
    eventually(lambda: len(home.effects()) > 60)
    another_probe.stop(signal.SIGKILL)
    assert len(home.effects()) < 800
    telling.join()
    eventually(lambda: len(home.effects()) >= 800, 60)
    assert once_and_in_order(home, range(800))
    assert cells_of(home, range(800)) == {"xinghua"}


def test_a_process_that_claims_what_is_not_its_own_does_not_start_and_says_what_to_do(
    home, another_probe, third_probe, eventually, state_of
):
    another_probe.start(**THE_CELL)
    eventually(lambda: state_of("xinghua") == "open")
    taken = third_probe.refuses_to_start(WANGGE_CELL="chengbei", WANGGE_AREAS="140109004901,140109")
    assert "140109004901 (as 140109004)" not in taken  # the two overlap, which is told first
    assert "WANGGE_AREAS: 140109004901 and 140109 overlap: give one" in taken
    taken = third_probe.refuses_to_start(WANGGE_CELL="chengbei", WANGGE_AREAS="140109004901")
    assert "140109004901 (as 140109004): served by the cell xinghua" in taken
    assert "`wangge cell close probe xinghua`" in taken
    assert "start it with these areas" in third_probe.refuses_to_start(
        WANGGE_CELL="xinghua", WANGGE_AREAS="140109005"
    )
    assert "give WANGGE_LANES=4" in third_probe.refuses_to_start(**THE_CELL, WANGGE_LANES="2")
    assert "name the cell (WANGGE_CELL)" in third_probe.refuses_to_start(WANGGE_AREAS="140109005")
    assert "say which areas" in third_probe.refuses_to_start(WANGGE_CELL="chengbei")


def test_an_operators_mistakes_are_refused_with_what_to_do(home, ask, eventually, state_of):
    assert ask("POST", "/nowhere/close")[1]["detail"] == "probe has no cell nowhere; there are: home"
    assert "home cannot be closed" in ask("POST", "/home/close")[1]["detail"]
    assert ask("PUT", "/home", {"areas": [XINGHUA]})[0] == 422
    status, wrong = ask("PUT", "/xinghua", {"areas": ["14.1", "1401x9"]})
    assert (status, len(wrong["errors"])) == (422, 2)
    assert ask("DELETE", "/home")[1]["code"] == "cell.not_empty"

    home.send(signal.SIGSTOP)
    tell(home, range(4))
    home.send(signal.SIGCONT)
    assert ask("PUT", "/xinghua", {"areas": [XINGHUA], "lanes": 2})[1]["state"] == "opening"
    assert ask("POST", "/xinghua/close")[1]["code"] == "cell.opening"
    assert ask("PUT", "/chengbei", {"areas": ["140109004901"]})[1]["code"] == "cell.area_taken"
    eventually(lambda: state_of("xinghua") == "open", 60)
    assert ask("PUT", "/xinghua", {"areas": [XINGHUA], "lanes": 2})[1]["state"] == "open"
    assert ask("PUT", "/xinghua", {"areas": [XINGHUA], "lanes": 3})[1]["code"] == "cell.other_lanes"
    assert ask("PUT", "/xinghua", {"areas": ["140109005"], "lanes": 2})[1]["code"] == "cell.other_areas"
    assert ask("POST", "/xinghua/emptied")[1]["code"] == "cell.not_closing"
