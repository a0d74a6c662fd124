"""How what intake tells becomes a case: filed once, with its number, its units, its deadline and its reporters."""

import json
from datetime import datetime

COMMUNITY = "140802002907"
GRID = "14080200290700100"
OTHER_GRID = "14080200290700200"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_accepted_report_is_filed_and_dispatched_at_once(dispatch, intake, clock):
    clock("2023-09-14T19:00:30+08:00")
    code = intake.accept(received_at="2023-09-14T19:00:00+08:00")
    case = dispatch.case_of(code)
    assert (case["state"], case["category"], case["level"], case["lead"]) == (
        "dispatched",
        "E0596",
        "L2",
        "power",
    )
    assert [(part["unit"], part["state"]) for part in case["assist"]] == [("estate", "sent")]
    assert at(case["deadline"]) == at("2023-09-14T21:00:00+08:00")
    assert (case["case_no"][:14], len(case["case_no"])) == ("14080220230914", 19)
    (filed,) = dispatch.told(case["case_no"], "case.filed.v1")
    assert (filed["report_code"], filed["limit"]) == (code, "2 urgent_hour")
    (sent,) = dispatch.told(case["case_no"], "case.dispatched.v1")
    assert (sent["lead"], sent["assist"], at(sent["deadline"])) == ("power", ["estate"], at(case["deadline"]))
    history = dispatch.get(f"/v1/cases/{case['case_no']}/history")["items"]
    assert [(line["seq"], line["op"], line["actor"]) for line in history] == [
        (1, "file", "system"),
        (2, "dispatch", "system"),
    ]


def test_report_told_twice_makes_one_case(dispatch, intake):
    data = intake.a_report()
    first = intake.tell("report.accepted.v1", data)
    intake.publish(first)
    intake.tell("report.accepted.v1", data)  # the same report under another event id
    last = dispatch.case_of(intake.accept())
    case = dispatch.case_of(data["report_code"])
    assert case["case_no"] != last["case_no"]
    dispatch.soon(lambda: len(dispatch.rows("SELECT 1 FROM inbox WHERE event_id = :id", id=first.id)) == 1)
    assert len(dispatch.told(case["case_no"], "case.filed.v1")) == 1
    assert len(dispatch.told(case["case_no"], "case.dispatched.v1")) == 1
    assert len(dispatch.rows("SELECT 1 FROM cases WHERE report_code = :c", c=data["report_code"])) == 1


def test_unknown_category_is_filed_under_the_default_one_and_goes_to_the_grid_lead(dispatch, intake):
    case = dispatch.case_of(intake.accept(category="E9999", urgency="none"))
    assert (case["category"], case["lead"], case["assist"]) == ("G0201", "estate", [])


def test_micro_grid_falls_to_its_grids_lead_and_a_grid_without_one_to_the_community(dispatch, intake):
    micro = dispatch.case_of(intake.accept(category="G0201", urgency="none", area=GRID[:15] + "07"))
    other = dispatch.case_of(intake.accept(category="G0201", urgency="none", area=OTHER_GRID))
    whole = dispatch.case_of(intake.accept(category="G0201", urgency="none", area=COMMUNITY))
    assert (micro["lead"], other["lead"], whole["lead"]) == ("estate", "community", "community")


def test_pool_case_waits_for_a_claim(dispatch, intake):
    case = dispatch.case_of(intake.accept(category="G0301", urgency="none"))
    assert (case["state"], case["lead"], case["deadline"], case["level"]) == ("filed", None, None, "L4")
    assert dispatch.told(case["case_no"], "case.dispatched.v1") == []


def test_every_number_is_used_once_while_many_reports_come_at_once(dispatch, intake):
    codes = [intake.accept() for _ in range(60)]
    numbers = [dispatch.case_of(code)["case_no"] for code in codes]
    assert len(set(numbers)) == 60
    assert len({number[:14] for number in numbers}) <= 2  # midnight may pass


def test_report_of_a_community_without_a_site_is_held_until_its_pack_is_applied(dispatch, intake):
    area = "140802002908"
    code = intake.accept(area=area, category="G0201", urgency="none")
    held = "SELECT 1 FROM held_event WHERE state = 'deferred' AND partitionkey = :code"
    dispatch.soon(lambda: dispatch.rows(held, code=code))
    assert dispatch.put_site(dispatch.a_part(site="xili", area=area, grid_leads={})).ok
    admin = dispatch.token("admin-1", ["admin"], (area,))
    query = {"report_code": code}
    found = dispatch.soon(lambda: dispatch.get("/v1/cases", params=query, token=admin)["items"], 60)
    assert found[0]["lead"] == "community"


def test_report_that_needs_an_unknown_calendar_year_is_quarantined_and_not_lost(dispatch, intake, clock):
    clock("2031-03-03T10:00:00+08:00")
    code = intake.accept(category="G0201", urgency="none", received_at="2031-03-03T10:00:00+08:00")
    neighbour = intake.accept(received_at="2031-03-03T10:00:00+08:00")  # natural time needs no calendar
    held = "SELECT cause FROM held_event WHERE state = 'quarantined' AND partitionkey = :code"
    assert dispatch.soon(lambda: dispatch.rows(held, code=code))[0].cause == "calendar.year_not_loaded"
    # the claim limit of an emergency is natural time, too
    assert dispatch.case_of(neighbour)["state"] == "dispatched"


def test_reporters_are_known_whether_merged_before_or_after_the_filing(dispatch, intake):
    data = intake.a_report(
        category="G0202", urgency="none", reporter={"ref": "person:worker-1", "wants_reply": True}
    )
    code = data["report_code"]

    def merge(ref: str, **reporter) -> None:
        intake.tell(
            "report.merged.v1",
            {
                "report_code": intake.new_code(),
                "into": code,
                "area": GRID,
                "reporter": {"ref": ref, **reporter},
            },
        )

    merge("resident:early")
    intake.tell("report.accepted.v1", data)
    case_no = dispatch.case_of(code)["case_no"]
    merge("resident:late")
    merge("resident:silent", wants_reply=False)
    count = "SELECT count(*) FROM reporters WHERE of_report = :code"
    dispatch.soon(lambda: dispatch.rows(count, code=code)[0][0] == 4)
    for command in ("claim", "start"):
        dispatch.do(case_no, command, "staff-1")
    dispatch.do(case_no, "feedback", "staff-1", result="材料已代办并送达")
    dispatch.do(case_no, "close", "operator-1", reply="已为您办好并送达")
    (closed,) = dispatch.told(case_no, "case.closed.v1")
    assert sorted(closed["reporters"]) == ["person:worker-1", "resident:early", "resident:late"]
    assert closed["helpers"] == [
        {"person_id": "worker-1", "part": "reporter"},
        {"person_id": "staff-1", "part": "handler"},
    ]


def test_late_fact_of_the_directory_does_not_undo_a_newer_one(dispatch, intake):
    person = {"person_id": "mover-1", "area": COMMUNITY, "unit_id": "street", "status": "active"}
    intake.tell("person.changed.v1", person | {"unit_id": "power"}, sequence=2)
    intake.tell("person.changed.v1", person, sequence=1)
    late = intake.tell("person.changed.v1", person | {"person_id": "mover-2"})
    dispatch.soon(lambda: dispatch.rows("SELECT 1 FROM inbox WHERE event_id = :id", id=late.id))
    unit = "SELECT unit_id FROM people WHERE person_id = 'mover-1'"
    assert dispatch.soon(lambda: dispatch.rows(unit))[0].unit_id == "power"


def test_malformed_report_is_quarantined_and_its_neighbours_are_filed(dispatch, intake):
    before = intake.accept()
    broken = intake.a_report(urgency="soon", summary="")
    intake.tell("report.accepted.v1", broken)
    after = intake.accept()
    assert dispatch.case_of(before)["case_no"] != dispatch.case_of(after)["case_no"]
    held = "SELECT errors FROM held_event WHERE state = 'quarantined' AND body LIKE :code"
    (row,) = dispatch.soon(lambda: dispatch.rows(held, code=f"%{broken['report_code']}%"))
    errors = row.errors if isinstance(row.errors, list) else json.loads(row.errors)
    assert {error["field"] for error in errors} == {"data.urgency", "data.summary"}
