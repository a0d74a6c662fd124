"""The filled cases are real: the services show them, people act on them, the bus's work goes on with them."""

import pytest

from bench.growth import street
from bench.growth.towns import Who

STREET = (street.STREET,)
DISPATCHER = Who("g3-dispatcher", ("dispatcher",), STREET)
OPERATOR = Who("g3-staff-1", ("intake_operator", "community_staff"), STREET)

A_CASE = "SELECT case_no FROM cases WHERE state = %s AND area LIKE %s ORDER BY filed_at DESC LIMIT 1"


def a_case(town, state: str) -> dict:
    ((case_no,),) = town.rows("dispatch", A_CASE, state, f"{street.community(3)}%")
    return town.call(DISPATCHER, "dispatch", "GET", f"/v1/cases/{case_no}")


def of_unit(unit: str) -> Who:
    return Who(f"{unit}-contact", ("unit_contact",), STREET, unit)


def command(town, who: Who, case: dict, name: str, **body) -> dict:
    return town.call(who, "dispatch", "POST", f"/v1/cases/{case['case_no']}/{name}", body)


@pytest.mark.parametrize("state", ["dispatched", "claimed", "handling", "handled", "checking"])
def test_filled_case_goes_on_to_its_closing(town, state):
    case = a_case(town, state)
    while case["state"] != "closed":
        case = step(town, case)
    assert case["closing"] == 1
    history = town.call(DISPATCHER, "dispatch", "GET", f"/v1/cases/{case['case_no']}/history", limit=200)[
        "items"
    ]
    assert [line["seq"] for line in history] == list(range(1, case["version"] + 1))
    keys = town.rows(
        "dispatch", "SELECT bool_or(is_open) FROM case_sights WHERE case_no = %s", case["case_no"]
    )
    assert keys == [(False,)]


def step(town, case: dict) -> dict:
    """The next thing that the people of the street do with a case."""
    lead, checker = of_unit(case["lead"]), Who("g3-checker-1", ("checker",), STREET)
    owing = [of_unit(part["unit"]) for part in case["assist"] if part["state"] != "done"]
    to_check = case["needs_check"] and not case["check_passed"]
    who, name, body = {
        "dispatched": (lead, "claim", {}),
        "claimed": (lead, "start", {}),
        "handling": (lead, "feedback", {"result": "已处置"}),
        "handled": (OPERATOR, "send_check", {"checker": checker.person}),
        "checking": (checker, "check", {"result": "pass", "note": "已查看"}),
    }[case["state"]]
    if case["state"] == "handling" and owing:
        who, name, body = owing[0], "assist_done", {"result": "已协助"}
    if case["state"] in {"handled", "checking"} and not to_check:
        who, name, body = OPERATOR, "close", {"reply": "已办结"}
    return command(town, who, case, name, **body)


def test_filled_closed_case_is_reopened(town):
    case = a_case(town, "closed")
    again = command(town, OPERATOR, case, "reopen", reason="又坏了")
    assert (again["state"], again["reopen_count"]) == ("dispatched", 1)


def test_filled_report_is_shown_with_its_case(town):
    ((code, case_no),) = town.rows(
        "intake", "SELECT code, case_no FROM reports WHERE status = 'filed' LIMIT 1"
    )
    shown = town.call(
        Who("g3-operator", ("intake_operator",), STREET), "intake", "GET", f"/v1/reports/{code}"
    )
    assert (shown["code"], shown["case_no"]) == (code, case_no)


def test_filled_entry_is_taken_back_to_the_point(town):
    reviewer = Who("g3-reviewer", ("points_reviewer",), STREET)
    ((entry_id, person, account),) = town.rows(
        "points",
        "SELECT e.entry_id, e.person_id, w.account FROM entries AS e JOIN wallets AS w USING (person_id) "
        "WHERE e.counted > 0 AND e.state = 'posted' ORDER BY e.entry_id DESC LIMIT 1",
    )
    town.call(reviewer, "points", "POST", f"/v1/entries/{entry_id}/reverse", {"reason": "重复"})
    ((after,),) = town.rows("points", "SELECT account FROM wallets WHERE person_id = %s", person)
    ((counted,),) = town.rows(
        "points",
        "SELECT sum(counted) FROM entries WHERE person_id = %s AND state = 'posted' AND reverses IS NULL",
        person,
    )
    assert after == counted
    assert after <= account


def test_filled_unread_message_is_read(town):
    ((message_id, person),) = town.rows(
        "notify",
        "SELECT message_id, split_part(recipient, ':', 2) FROM messages "
        "WHERE state = 'delivered' AND starts_with(recipient, 'person:') LIMIT 1",
    )
    member = Who(person, ("party_member",), STREET)
    before = town.call(member, "notify", "GET", "/v1/inbox")["unread"]
    read = town.call(member, "notify", "POST", f"/v1/inbox/{message_id}/read")
    assert read["state"] == "read"
    assert town.call(member, "notify", "GET", "/v1/inbox")["unread"] == before - 1
