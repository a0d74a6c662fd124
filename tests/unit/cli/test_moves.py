"""In the demo the right person does the next thing, and nobody checks or closes their own work."""

from pathlib import Path
from typing import Any

import pytest

from wangge.cli.cast import Cast
from wangge.cli.local import Addresses
from wangge.cli.moves import Moves, Told
from wangge.cli.packs import read

SITES = Path(__file__).parents[3] / "sites"
GRID = "14080200290200100"
ADDRESSES = Addresses(".wangge", ".wangge/keys", False, "", "", "", "", (), ())


@pytest.fixture(scope="module")
def moves() -> Moves:
    pack = read(SITES / "hexixijie")
    return Moves(pack, Cast(pack, ADDRESSES))


def a_told(**case: Any) -> Told:
    basis = {"case_no": "1", "category": "E0596", "area": GRID, "lead": "hx-gongdian", "state": "dispatched"}
    handling = {"result": "敲除", "reply": "已修复", "helpers": ["hx-worker-1"]}
    return Told("wall", {}, handling, outcome="accepted", case={**basis, **case})


@pytest.mark.parametrize(
    ("state", "who", "command"),
    [
        ("dispatched", "hx-gongdian-contact", "claim"),
        ("claimed", "hx-gongdian-contact", "start"),
        ("handling", "hx-gongdian-contact", "feedback"),
        ("handled", "hx-operator", "send_check"),
        ("checking", "hx-worker-1", "check"),
    ],
)
def test_each_state_has_its_next_person(moves: Moves, state: str, who: str, command: str) -> None:
    act = moves.next(a_told(state=state))
    assert act is not None
    assert (act.who, act.command) == (who, command)


def test_what_was_checked_is_closed_with_the_reply(moves: Moves) -> None:
    act = moves.next(a_told(state="checking", check_passed=True))
    assert act is not None
    assert (act.who, act.command, act.body) == ("hx-operator", "close", {"reply": "已修复"})


def test_an_inquiry_is_closed_without_a_check(moves: Moves) -> None:
    act = moves.next(a_told(state="handled", category="G0201", lead="hx-shequ"))
    assert act is not None
    assert act.command == "close"


def test_a_unit_does_not_check_its_own_work(moves: Moves) -> None:
    act = moves.next(a_told(state="checking", category="C0199", lead="hx-shequ"))
    assert act is not None
    assert act.who == "hx-checker-1"  # the grid worker belongs to the unit that handled it


def test_a_case_in_the_pool_is_claimed_by_a_unit_that_may(moves: Moves) -> None:
    act = moves.next(a_told(state="filed", category="G0301", lead=None))
    assert act is not None
    assert (act.who, act.command) == ("hx-zhifa-officer", "claim")


@pytest.mark.parametrize("state", ["filed", "closed", "archived", "suspended"])
def test_nobody_acts_where_nothing_is_theirs_to_do(moves: Moves, state: str) -> None:
    assert moves.next(a_told(state=state)) is None


def test_an_assist_unit_reports_its_part_before_the_lead_feeds_back(moves: Moves) -> None:
    owing = [{"unit": "hx-wuguanhui", "state": "sent"}]
    act = moves.next(a_told(state="handling", assist=owing))
    assert act is not None
    assert (act.who, act.command) == ("hx-wuguanhui-contact", "assist_done")
    done = moves.next(a_told(state="handling", assist=[{"unit": "hx-wuguanhui", "state": "done"}]))
    assert done is not None
    assert done.command == "feedback"


def test_helpers_and_a_photo_go_with_the_feedback(moves: Moves) -> None:
    act = moves.next(a_told(state="handling"))
    assert act is not None
    assert act.body["helpers"] == ["hx-worker-1"]
    assert act.body["evidence"][0]["kind"] == "after"


def test_a_case_that_refuses_every_act_is_left_alone(moves: Moves) -> None:
    told = a_told(state="claimed")
    told.refusals = 3
    assert told.is_over
    assert moves.next(told) is None
