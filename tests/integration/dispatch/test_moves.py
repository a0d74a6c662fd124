"""A case on its way: who does what, what is told, what is refused, and who wins when many want it at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

GRID = "14080200290700100"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture
def wall(dispatch, intake):
    """The number of a case that was just dispatched to the power company, with the estate assisting."""
    return dispatch.case_of(intake.accept(reporter={"ref": "resident:r1"}))["case_no"]


@pytest.fixture
def pooled(dispatch, intake):
    """The number of a case in the pool."""
    return dispatch.case_of(intake.accept(category="G0301", urgency="none"))["case_no"]


def handled(dispatch, case_no: str) -> dict:
    dispatch.do(case_no, "claim", "power-1")
    dispatch.do(case_no, "start", "power-1", opinion="到场")
    dispatch.do(case_no, "assist_done", "estate-1", result="已警戒")
    return dispatch.do(case_no, "feedback", "power-1", result="已敲除", helpers=["worker-1", "worker-2"])


def test_case_goes_the_whole_way_and_tells_each_step(dispatch, intake, clock):
    clock("2023-09-14T19:00:00+08:00")
    received = "2023-09-14T19:00:00+08:00"
    code = intake.accept(received_at=received, reporter={"ref": "person:worker-1"}, channel="grid_visit")
    case_no = dispatch.case_of(code)["case_no"]
    clock("2023-09-14T20:45:00+08:00")
    case = handled(dispatch, case_no)
    assert (case["state"], case["handler"], case["on_time"]) == ("handled", "power-1", True)
    case = dispatch.do(case_no, "send_check", "dispatcher-1")
    assert (case["state"], case["checker"]) == ("checking", "worker-1")  # the grid's own worker
    case = dispatch.do(case_no, "check", "worker-1", result="pass", note="已无悬挂墙体")
    assert (case["state"], case["check_passed"]) == ("checking", True)
    clock("2023-09-15T17:36:00+08:00")
    case = dispatch.do(case_no, "close", "operator-1", reply="已修复，可正常通行")
    assert (case["state"], case["state_name"], case["allowed"]) == ("closed", "已结案", ["reopen"])
    (claimed,) = dispatch.told(case_no, "case.claimed.v1")
    assert (claimed["unit"], claimed["handler"], claimed["mode"]) == ("power", "power-1", "dispatched")
    (done,) = dispatch.told(case_no, "case.handled.v1")
    assert (done["unit"], done["on_time"]) == ("power", True)
    (checked,) = dispatch.told(case_no, "case.checked.v1")
    assert (checked["result"], checked["checker"]) == ("pass", "worker-1")
    (closed,) = dispatch.told(case_no, "case.closed.v1")
    assert closed["helpers"] == [
        {"person_id": "worker-1", "part": "reporter"},
        {"person_id": "power-1", "part": "handler"},
        {"person_id": "worker-1", "part": "helper"},
        {"person_id": "worker-2", "part": "helper"},
    ]
    assert (closed["mode"], closed["channel"], closed["closing"]) == ("joint", "grid_visit", 1)
    assert (closed["on_time"], closed["reporters"]) == (True, ["person:worker-1"])
    assert at(closed["at"]) == at("2023-09-15T17:36:00+08:00")
    history = dispatch.get(f"/v1/cases/{case_no}/history")["items"]
    ops = ["file", "dispatch", "claim", "start", "assist_done", "feedback", "send_check", "check", "close"]
    assert [(line["seq"], line["op"]) for line in history] == list(enumerate(ops, 1))
    assert case["version"] == len(history)


def test_failed_check_goes_back_and_a_reopened_case_gets_a_new_clock(dispatch, wall):
    due = handled(dispatch, wall)["deadline"]
    dispatch.do(wall, "send_check", "operator-1", checker="checker-1")
    case = dispatch.do(wall, "check", "checker-1", result="fail", note="仍有空鼓")
    assert (case["state"], case["rework_count"], case["deadline"]) == ("handling", 1, due)
    dispatch.do(wall, "feedback", "power-1", result="再次敲除")
    case = dispatch.do(wall, "reject_feedback", "dispatcher-1", reason="没有照片")
    assert (case["state"], case["rework_count"]) == ("handling", 2)
    dispatch.do(wall, "feedback", "power-1", result="补了照片")
    dispatch.do(wall, "send_check", "operator-1", checker="checker-1")
    dispatch.do(wall, "check", "checker-1", result="pass")
    dispatch.do(wall, "close", "operator-1", reply="已修复")
    case = dispatch.do(wall, "reopen", "operator-1", reason="又掉了")
    assert (case["state"], case["lead"], case["reopen_count"]) == ("dispatched", "power", 1)
    assert at(case["deadline"]) > at(due)
    (reopened,) = dispatch.told(wall, "case.reopened.v1")
    assert (reopened["closing"], reopened["lead"], reopened["reason"]) == (1, "power", "又掉了")
    handled(dispatch, wall)
    dispatch.do(wall, "send_check", "operator-1", checker="checker-1")
    dispatch.do(wall, "check", "checker-1", result="pass")
    dispatch.do(wall, "close", "operator-1", reply="彻底修复")
    assert [each["closing"] for each in dispatch.told(wall, "case.closed.v1")] == [1, 2]


def test_twenty_claims_at_once_have_one_winner(dispatch, pooled):
    units = ["enforcement", "police"]
    claims = [
        (
            f"officer-{number}",
            dispatch.token(f"officer-{number}", ["enforcement_officer"], unit=units[number % 2]),
        )
        for number in range(20)
    ]
    together = threading.Barrier(len(claims))

    def claim(token: str) -> tuple[int, str]:
        together.wait(10)
        answer = dispatch.call("POST", f"/v1/cases/{pooled}/claim", {}, token=token)
        return answer.status_code, answer.json().get("code", "")

    with ThreadPoolExecutor(len(claims)) as pool:
        answers = list(pool.map(claim, [token for _, token in claims]))
    assert sorted(answers) == [(200, ""), *[(409, "case.already_claimed")] * 19]
    winner = claims[answers.index((200, ""))][0]
    (told,) = dispatch.told(pooled, "case.claimed.v1")
    assert (told["handler"], told["mode"]) == (winner, "claimed")
    assert dispatch.get(f"/v1/cases/{pooled}")["handler"] == winner


def test_pool_is_open_to_the_units_it_names_wherever_they_are(dispatch, pooled):
    elsewhere = dispatch.token("police-2", ["unit_contact"], areas=(), unit="police")
    seen = dispatch.call("GET", f"/v1/cases/{pooled}", token=elsewhere).json()
    assert seen["allowed"] == ["claim"]
    other = dispatch.token("power-2", ["unit_contact"], areas=(), unit="power")
    assert dispatch.call("GET", f"/v1/cases/{pooled}", token=other).status_code == 404


def test_dispatcher_hands_a_pooled_case_to_a_unit(dispatch, pooled):
    status, problem = dispatch.refused(pooled, "dispatch", "dispatcher-1", lead="power", assist=["ghost"])
    assert (status, problem["code"]) == (422, "invalid")
    assert {error["field"] for error in problem["errors"]} == {"assist.0", "opinion"}
    case = dispatch.do(pooled, "dispatch", "dispatcher-1", lead="police", assist=["power"])
    assert (case["state"], case["lead"], [part["unit"] for part in case["assist"]]) == (
        "dispatched",
        "police",
        ["power"],
    )
    assert len(dispatch.told(pooled, "case.dispatched.v1")) == 1


def test_small_matter_is_settled_on_the_spot(dispatch, intake):
    case = dispatch.case_of(intake.accept(category="E0110", urgency="none", channel="patrol"))
    closed = dispatch.do(case["case_no"], "close_on_spot", "worker-1", reply="已清理", note="当场清理")
    assert (closed["state"], closed["handler"]) == ("closed", "worker-1")
    (told,) = dispatch.told(case["case_no"], "case.closed.v1")
    assert (told["mode"], told["on_time"]) == ("on_spot", True)


def test_unit_of_a_token_without_one_is_the_directorys(dispatch, wall):
    token = dispatch.token("power-1", ["unit_contact"], areas=(GRID,))
    bare = dispatch.token("nobody-1", ["unit_contact"], areas=(GRID,))
    assert (
        dispatch.call("POST", f"/v1/cases/{wall}/claim", {}, token=bare).json()["code"]
        == "case.not_your_unit"
    )
    assert dispatch.call("POST", f"/v1/cases/{wall}/claim", {}, token=token).ok


def test_default_checker_is_never_of_the_unit_that_handled_it(dispatch, intake):
    """The community's own staff handled it; both grid workers work elsewhere, the nearest one is asked."""
    case_no = dispatch.case_of(intake.accept(category="G0202", urgency="none"))["case_no"]
    dispatch.do(case_no, "claim", "staff-1")
    dispatch.do(case_no, "start", "staff-1")
    dispatch.do(case_no, "feedback", "staff-1", result="已代办")
    assert dispatch.do(case_no, "send_check", "operator-1")["checker"] == "worker-1"
    status, problem = dispatch.refused(case_no, "close", "staff-1", reply="已办好")
    assert (status, problem["code"]) == (409, "case.check_missing")


def test_same_request_again_gets_the_first_answer(dispatch, wall):
    headers = {"Idempotency-Key": f"claim-{wall}"}
    first = dispatch.call("POST", f"/v1/cases/{wall}/claim", {}, "power-1", headers=headers)
    again = dispatch.call("POST", f"/v1/cases/{wall}/claim", {}, "power-1", headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replay"] == "true"
    assert len(dispatch.told(wall, "case.claimed.v1")) == 1


# Bad input


def test_forbidden_move_names_what_is_allowed(dispatch, wall):
    dispatch.do(wall, "claim", "power-1")
    status, problem = dispatch.refused(wall, "feedback", "power-1", result="好了")
    assert (status, problem["code"], problem["allowed"]) == (409, "case.move_forbidden", ["start"])


def test_wrong_role_is_403_and_no_token_401(dispatch, wall):
    status, problem = dispatch.refused(wall, "claim", "operator-1")
    assert (status, problem["code"]) == (403, "role.missing")
    assert dispatch.call("POST", f"/v1/cases/{wall}/claim", {}, who=None).status_code == 401


def test_case_out_of_sight_is_404_for_questions_and_commands(dispatch, wall):
    far = dispatch.token("operator-9", ["intake_operator", "unit_contact"], areas=("140802002908",))
    for method, path, body in (
        ("GET", f"/v1/cases/{wall}", None),
        ("GET", f"/v1/cases/{wall}/history", None),
        ("POST", f"/v1/cases/{wall}/claim", {}),
        ("GET", "/v1/cases/1408022099010100001", None),
    ):
        answer = dispatch.call(method, path, body, token=far)
        assert (answer.status_code, answer.json()["code"]) == (404, "case.unknown")


def test_stale_version_is_412_and_changes_nothing(dispatch, wall):
    answer = dispatch.call("POST", f"/v1/cases/{wall}/claim", {}, "power-1", headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.json()["code"]) == (412, "version.stale")
    fresh = dispatch.call("GET", f"/v1/cases/{wall}")
    assert (fresh.json()["state"], fresh.headers["ETag"]) == ("dispatched", '"2"')
    headers = {"If-Match": fresh.headers["ETag"]}
    assert dispatch.call("POST", f"/v1/cases/{wall}/claim", {}, "power-1", headers=headers).ok


def test_unknown_command_is_404(dispatch, wall):
    assert dispatch.call("POST", f"/v1/cases/{wall}/vanish", {}).status_code == 404


def test_every_wrong_field_of_a_body_is_named_at_once(dispatch, wall):
    status, problem = dispatch.refused(
        wall,
        "feedback",
        "power-1",
        helpers=["not an id"],
        evidence=[{"kind": "painting"}],
        satisfied=True,
    )
    assert status == 422
    assert {error["field"] for error in problem["errors"]} == {
        "result",
        "helpers.0",
        "evidence.0.url",
        "evidence.0.kind",
        "satisfied",
    }
    _, problem = dispatch.refused(
        wall, "feedback", "power-1", result="好了", helpers=["worker-1", "worker-1"]
    )
    assert [error["field"] for error in problem["errors"]] == ["helpers"]


def test_helper_whom_the_directory_does_not_know_is_refused_and_nothing_happens(dispatch, wall):
    dispatch.do(wall, "claim", "power-1")
    dispatch.do(wall, "start", "power-1")
    dispatch.do(wall, "assist_done", "estate-1", result="已警戒")
    status, problem = dispatch.refused(
        wall, "feedback", "power-1", result="好了", helpers=["worker-1", "ghost-1"]
    )
    assert (status, [error["field"] for error in problem["errors"]]) == (422, ["helpers.1"])
    assert dispatch.get(f"/v1/cases/{wall}")["state"] == "handling"


def test_broken_json_is_400(dispatch, wall):
    answer = dispatch.call("POST", f"/v1/cases/{wall}/claim", None, "power-1", data=b"{")
    assert (answer.status_code, answer.json()["code"]) == (400, "body.bad_json")
