"""People and publishers report over HTTP; reports are sorted, decided about, told."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from kit.waiting import eventually

from wangge.chassis.seal import unseal


def the_fact(town, fact, code):
    (event,) = town.world.facts(fact, code)
    return event


def test_a_grid_workers_own_report_is_accepted_and_told(town):
    report = town.reported(
        text="路灯坏了，联系13812345678",
        location={**town.at(), "address": "家属院6号楼2单元301室"},
        evidence=[{"url": "https://photos.example/1.jpg", "kind": "photo_near"}],
    )
    assert report["status"] == "accepted"
    assert (report["area"], report["located_by"], report["category"]) == (town.yard, "point", "C0137")
    told = the_fact(town, "report.accepted.v1", report["code"])
    assert told["area"] == town.yard
    assert told["data"]["reporter"] == {
        "ref": f"person:{town.worker}",
        "confidential": False,
        "wants_reply": True,
    }
    assert told["data"]["summary"] == "路灯坏了，联系138****5678"
    assert told["data"]["location"] == {**town.at(), "address": "家属院6号楼"}
    assert told["data"]["evidence"] == [{"url": "https://photos.example/1.jpg", "kind": "photo_near"}]
    assert town.report(report["code"])["text"] == "路灯坏了，联系13812345678"


@pytest.mark.parametrize(
    ("data", "located_by"),
    [
        ({"area": "yard"}, "grid_code"),
        ({"location": {"address": "西街市场东门"}}, "address"),
        ({"area": "community"}, "community"),
        ({}, "community"),
    ],
)
def test_where_a_report_belongs(town, data, located_by):
    codes = {"yard": town.yard, "community": town.area}
    if "area" in data:
        data = {"area": codes[data["area"]]}
    report = town.reported(**data)
    assert report["located_by"] == located_by
    expected = {"grid_code": town.yard, "address": town.market, "community": town.area}
    assert report["area"] == expected[located_by]


def test_every_wrong_field_is_named_at_once(town):
    token = town.intake.token("w", "community_staff", areas=(town.area,))
    answer = town.post(
        token,
        category="X1",
        location={"lng": 1.0, "lat": 1.0},
        occurred_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    )
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    errors = {error["field"]: error["message"] for error in answer.json()["errors"]}
    assert set(errors) == {"category", "location", "occurred_at"}
    assert f"{town.key}社区" in errors["location"]

    answer = town.post(token, channel="pigeon", text="", reporter={"phone": "call me"}, colour="red")
    fields = {error["field"] for error in answer.json()["errors"]}
    assert fields == {"channel", "text", "reporter.phone", "colour"}


def test_an_area_outside_ones_own_is_a_wrong_field(town, intake):
    token = intake.token("w", "community_staff", areas=(town.area,))
    answer = town.post(token, area="140802001001")
    assert [error["field"] for error in answer.json()["errors"]] == ["area"]
    answer = town.post(headers=town.keyed(town.login), area="140802001001")
    assert [error["field"] for error in answer.json()["errors"]] == ["area"]


@pytest.mark.parametrize(
    ("roles", "channel", "status"),
    [
        (["resident"], "resident_app", 201),
        (["resident"], "grid_visit", 403),
        (["rider"], "rider", 201),
        (["rider"], "hotline_12345", 403),
        (["intake_operator"], "letter", 201),
        ([], "resident_app", 403),
    ],
)
def test_channels_by_role(town, intake, roles, channel, status):
    token = intake.token("somebody", *roles, areas=(town.area,))
    assert town.post(token, channel=channel).status_code == status


def test_nobody_reports_without_a_token_or_key_that_we_know(town):
    assert town.post().status_code == 401
    assert town.post(token="nonsense").status_code == 401
    answer = town.post(headers={"X-API-Key": "wrong"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_a_resident_reports_and_waits_for_an_operator_who_accepts(town, intake):
    resident = intake.token("res-1", "resident", areas=(town.area,))
    report = town.post(resident, channel="resident_app").json()
    assert report["status"] == "submitted"
    assert town.world.facts("report.accepted.v1", report["code"]) == []
    path = f"/v1/reports/{report['code']}"
    assert intake.call("GET", path, resident).status_code == 200
    assert intake.call("GET", path, intake.token("res-2", "resident", areas=(town.area,))).status_code == 404
    assert intake.call("POST", f"{path}/accept", resident, {}).status_code == 403

    stale = intake.call("POST", f"{path}/accept", town.staff, {}, **{"If-Match": '"7"'})
    assert stale.status_code == 412
    wrong = intake.call("POST", f"{path}/accept", town.staff, {"category": "X1"})
    assert [error["field"] for error in wrong.json()["errors"]] == ["category"]
    accepted = intake.call("POST", f"{path}/accept", town.staff, {"category": "E0110"}, **{"If-Match": '"1"'})
    assert accepted.json()["status"] == "accepted"
    assert the_fact(town, "report.accepted.v1", report["code"])["data"]["category"] == "E0110"

    again = intake.call("POST", f"{path}/accept", town.staff, {})
    assert (again.status_code, again.json()["code"]) == (409, "report.move_forbidden")
    assert again.json()["allowed"] == ["file", "close", "reopen"]
    assert (again.json()["status"], again.json()["report_status"]) == (409, "accepted")
    history = town.world.sql(
        'SELECT command, "by" FROM report_moves WHERE report_code = %s ORDER BY id', report["code"]
    )
    assert [(line["command"], line["by"]) for line in history] == [
        ("submit", "person:res-1"),
        ("accept", f"person:{town.key}-staff"),
    ]


def test_an_operator_turns_a_report_down_with_a_reply(town, intake):
    report = town.post(intake.token("res-1", "resident", areas=(town.area,)), channel="resident_app").json()
    path = f"/v1/reports/{report['code']}/reject"
    missing = intake.call("POST", path, town.staff, {"reason": "no_facts"})
    assert [error["field"] for error in missing.json()["errors"]] == ["reply"]
    rejected = intake.call("POST", path, town.staff, {"reason": "no_facts", "reply": "现场未见。"}).json()
    assert (rejected["status"], rejected["reason"], rejected["reply"]) == (
        "rejected",
        "no_facts",
        "现场未见。",
    )
    told = the_fact(town, "report.rejected.v1", report["code"])["data"]
    assert (told["reason"], told["reply"]) == ("no_facts", "现场未见。")


def test_what_is_in_court_is_rejected_at_once_with_the_sites_reply(town):
    report = town.reported(text="路灯的事已起诉物业")
    assert (report["status"], report["reason"]) == ("rejected", "in_litigation")
    assert the_fact(town, "report.rejected.v1", report["code"])["data"]["reply"] == "请向受理法院了解进展。"


def test_an_emergency_is_accepted_whatever_else_is_said(town, intake):
    resident = intake.token("res-1", "resident", areas=(town.area,))
    report = town.post(resident, channel="resident_app", text="墙体脱落，已起诉物业").json()
    assert (report["status"], report["urgency"]) == ("accepted", "emergency")


def test_reports_of_other_areas_are_not_there(town, intake):
    report = town.reported(location=town.at())
    elsewhere = intake.token("op", "intake_operator", areas=("140105",))
    for path in (f"/v1/reports/{report['code']}", "/v1/reports/BG20230914-999999"):
        answer = intake.call("GET", path, elsewhere)
        assert (answer.status_code, answer.json()["code"]) == (404, "report.not_found")
    next_grid = intake.token("w2", "grid_worker", areas=(town.market,))
    assert intake.call("GET", f"/v1/reports/{report['code']}", next_grid).status_code == 404


def test_the_list_is_filtered_and_cut_into_pages_the_latest_first(town, intake):
    codes = [town.reported(text=f"垃圾{n}")["code"] for n in range(3)]
    rejected = town.reported(text="已起诉")["code"]

    def listed(query):
        answer = intake.call("GET", f"/v1/reports?{query}", town.staff)
        assert answer.ok, answer.text
        return [item["code"] for item in answer.json()["items"]], answer.json()["next_cursor"]

    first, cursor = listed("limit=2")
    assert first == [rejected, codes[2]]
    assert listed(f"limit=2&cursor={cursor}") == ([codes[1], codes[0]], None)
    assert listed("status=rejected") == ([rejected], None)
    assert listed(f"channel=grid_visit&area={town.area}&limit=1")[0] == [rejected]
    assert listed(f"area={town.yard}") == ([], None)
    assert intake.call("GET", "/v1/reports?cursor=x", town.staff).status_code == 422
    assert intake.call("GET", "/v1/reports", intake.token("r", "resident")).status_code == 403


# the reporter


def contact_of(town, code):
    return town.world.sql(
        "SELECT c.* FROM reporter_contacts c JOIN reports r ON r.reporter_ref = c.subject_ref WHERE r.code = %s",
        code,
    )


def test_a_residents_contact_stays_here_and_goes_sealed_to_notify(town, intake):
    token = intake.token(f"{town.key}-staff", "community_staff", areas=(town.area,))
    reporter = {"name": "钱女士", "phone": "13812345678", "confidential": True}
    report = town.post(token, channel="letter", text="墙体脱落", reporter=reporter).json()
    accepted = the_fact(town, "report.accepted.v1", report["code"])["data"]
    ref = accepted["reporter"]["ref"]
    assert ref.startswith("resident:")
    assert accepted["reporter"]["confidential"] is True
    assert contact_of(town, report["code"])[0]["phone"] == "13812345678"
    (shared,) = town.world.facts("contact.shared.v1", ref)
    opened = unseal(intake.keys_dir, "notify", shared["data"]["sealed"])
    assert opened == {"name": "钱女士", "phone": "13812345678"}
    bodies = [row["body"] for row in town.world.sql("SELECT body FROM outbox")]
    assert not [body for body in bodies if "钱女士" in body or "13812345678" in body]


def test_of_an_anonymous_reporter_nothing_is_kept_or_told(town):
    token = town.intake.token(town.worker, "grid_worker", areas=(town.yard,))
    report = town.post(
        token, channel="grid_visit", reporter={"anonymous": True, "name": "x", "phone": "13812345678"}
    ).json()
    assert contact_of(town, report["code"]) == []
    told = the_fact(town, "report.accepted.v1", report["code"])
    assert told["data"]["reporter"]["ref"].startswith("resident:")
    assert told["data"]["reporter"]["wants_reply"] is False
    assert town.worker not in str(told)
    row = town.world.sql("SELECT * FROM reports WHERE code = %s", report["code"])
    moves = town.world.sql("SELECT * FROM report_moves WHERE report_code = %s", report["code"])
    assert town.worker not in str([row, moves])


def test_who_brought_a_confidential_report_is_not_told(town):
    token = town.intake.token(town.worker, "grid_worker", areas=(town.yard,))
    reporter = {"confidential": True, "name": "张三", "phone": "13800000000"}
    report = town.post(token, channel="grid_visit", reporter=reporter).json()
    told = the_fact(town, "report.accepted.v1", report["code"])
    assert told["data"]["reporter"]["confidential"] is True
    assert town.worker not in str(told)


def test_the_workers_own_contact_makes_nobody_new(town):
    own = town.reported(reporter={"name": "何一", "phone": "19900000111"})
    other = town.reported(reporter={"name": "张三", "phone": "13800000000"})
    refs = [
        town.world.sql("SELECT reporter_ref FROM reports WHERE code = %s", each["code"])[0]["reporter_ref"]
        for each in (own, other)
    ]
    assert refs[0] == f"person:{town.worker}"
    assert refs[1].startswith("resident:")


# the same and the near


def test_the_same_external_number_of_the_same_sender_is_the_same_report(town):
    key = town.keyed(town.login)
    first = town.post(headers=key, external_no="A-1")
    again = town.post(headers=key, external_no="A-1", text="换了说法")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json()["code"] == first.json()["code"]
    assert again.json()["text"] == "路灯坏了"
    other = town.post(headers=town.keyed(town.strict), external_no="A-1", channel="video")
    assert other.json()["code"] != first.json()["code"]


def test_reports_that_come_at_the_same_time_are_answered_each_by_itself(town, intake):
    key, somebody = town.keyed(town.login), intake.token("somebody", areas=(town.area,))
    asked = [{"headers": key, "external_no": f"N-{number % 10}"} for number in range(30)]
    asked += [{"headers": key, "category": "no_such"} for _ in range(5)]
    asked += [{"token": somebody, "channel": "resident_app"} for _ in range(5)]
    asked += [{"headers": key, "location": town.at(place=2, metres=number)} for number in range(5)]
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = list(pool.map(lambda one: town.post(**one), asked))
    known, wrong, forbidden, near = answers[:30], answers[30:35], answers[35:40], answers[40:]
    assert {answer.status_code for answer in [*known, *near]} == {201}
    assert len({answer.json()["code"] for answer in known}) == 10
    assert {answer.status_code for answer in wrong} == {422}
    assert {answer.status_code for answer in forbidden} == {403}
    assert sorted(answer.json()["status"] for answer in near) == ["accepted", *["merged"] * 4]
    assert {answer.json().get("of") for answer in near if answer.json()["status"] == "merged"} == {
        next(answer.json()["code"] for answer in near if answer.json()["status"] == "accepted")
    }


def test_the_same_idempotency_key_gets_the_same_answer(town):
    headers = {**town.keyed(town.login), "Idempotency-Key": "k-1"}
    incident = town.incident()
    answers = [town.intake.call("POST", "/v1/reports", "", incident, **headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()


def test_a_near_report_of_the_same_kind_joins_the_nearest_open_one(town):
    far = town.reported(location=town.at())
    near = town.reported(location=town.at(metres=90))
    between = town.reported(location=town.at(metres=48))
    assert (far["status"], near["status"], between["of"]) == ("accepted", "accepted", near["code"])
    alone = town.reported(location=town.at(place=1))
    joined = town.reported(location=town.at(place=1, metres=30), text="路灯又不亮")
    assert (joined["status"], joined["of"], joined["of_status"]) == ("merged", alone["code"], "accepted")
    told = the_fact(town, "report.merged.v1", joined["code"])
    assert told["data"]["into"] == alone["code"]
    assert told["partitionkey"] == alone["code"]
    assert town.world.facts("report.accepted.v1", joined["code"]) == []


@pytest.mark.parametrize(
    ("metres", "hours", "text", "status"),
    [
        (49, 0, "路灯坏了", "merged"),
        (51, 0, "路灯坏了", "accepted"),
        (0, 23.9, "路灯坏了", "merged"),
        (0, 24.1, "路灯坏了", "accepted"),
        (0, 0, "垃圾成堆", "accepted"),
    ],
)
def test_near_means_the_same_kind_within_fifty_metres_and_a_day(town, metres, hours, text, status):
    at = datetime.now(UTC)
    first = town.reported(location=town.at(), occurred_at=at.isoformat())
    earlier = (at - timedelta(hours=hours)).isoformat()
    assert first["status"] == "accepted"
    second = town.reported(location=town.at(metres=metres), occurred_at=earlier, text=text)
    assert second["status"] == status


def test_a_report_without_a_point_joins_none(town):
    town.reported(location=town.at())
    assert town.reported(location={"address": "家属院"})["status"] == "accepted"


def test_a_report_that_waits_is_accepted_when_a_trusted_one_tells_the_same(town, intake):
    resident = intake.token("res-1", "resident", areas=(town.area,))
    waiting = town.post(resident, channel="resident_app", location=town.at()).json()
    assert waiting["status"] == "submitted"
    second = town.reported(location=town.at(metres=5), urgency="high")
    assert (second["status"], second["of_status"]) == ("merged", "accepted")
    told = the_fact(town, "report.accepted.v1", waiting["code"])["data"]
    assert told["urgency"] == "high"


def test_those_who_joined_a_rejected_report_are_told_too(town, intake):
    resident = intake.token("res-1", "resident", areas=(town.area,))
    first = town.post(resident, channel="resident_app", location=town.at()).json()
    second = town.post(resident, channel="resident_app", location=town.at(metres=5)).json()
    assert second["of"] == first["code"]
    alone = intake.call(
        "POST", f"/v1/reports/{second['code']}/reject", town.staff, {"reason": "x", "reply": "不"}
    )
    assert (alone.status_code, alone.json()["of"]) == (409, first["code"])
    intake.call("POST", f"/v1/reports/{first['code']}/reject", town.staff, {"reason": "x", "reply": "不"})
    assert the_fact(town, "report.rejected.v1", second["code"])["data"]["reply"] == "不"
    assert town.report(second["code"])["status"] == "rejected"


# what the case tells


def test_the_case_of_a_report_is_seen_at_the_report_and_at_those_that_joined(town):
    report = town.reported(location=town.at())
    joined = town.reported(location=town.at(metres=5))
    filed = town.case_fact("case.filed", report["code"], 1)
    town.dispatch_tells(filed)
    eventually(lambda: town.report(report["code"])["status"] == "filed")
    assert town.report(report["code"])["case_no"] == filed["subject"]
    seen = town.report(joined["code"])
    assert (seen["status"], seen["of_status"], seen["case_no"]) == ("merged", "filed", filed["subject"])

    town.dispatch_tells(town.case_fact("case.closed", report["code"], 6))
    eventually(lambda: town.report(report["code"])["status"] == "closed")
    town.dispatch_tells(town.case_fact("case.reopened", report["code"], 7))
    eventually(lambda: town.report(report["code"])["status"] == "filed")


def test_facts_of_a_case_twice_and_out_of_order_lead_to_the_last(town):
    report = town.reported()
    facts = [
        town.case_fact("case.closed", report["code"], 9),
        town.case_fact("case.reopened", report["code"], 7),
        town.case_fact("case.filed", report["code"], 1),
    ]
    town.dispatch_tells(*facts, *facts)
    for fact in facts:
        eventually(lambda fact=fact: town.has_settled(fact))
    seen = town.report(report["code"])
    assert (seen["status"], seen["case_no"]) == ("closed", facts[0]["subject"])
    moves = town.world.sql("SELECT 1 FROM report_moves WHERE report_code = %s", report["code"])
    assert len(moves) == 3  # submitted, accepted, closed


def test_nothing_joins_a_closed_report_until_it_is_open_again(town):
    report = town.reported(location=town.at())
    town.dispatch_tells(town.case_fact("case.closed", report["code"], 5))
    eventually(lambda: town.report(report["code"])["status"] == "closed")
    fresh = town.reported(location=town.at(metres=20))
    assert fresh["status"] == "accepted"
    town.dispatch_tells(town.case_fact("case.closed", fresh["code"], 5))
    eventually(lambda: town.report(fresh["code"])["status"] == "closed")
    town.dispatch_tells(town.case_fact("case.reopened", report["code"], 6))
    eventually(lambda: town.report(report["code"])["status"] == "filed")
    assert town.reported(location=town.at(metres=20))["of"] == report["code"]


def test_a_fact_of_a_case_cannot_be_told_from_outside(town):
    report = town.reported()
    forged = town.case_fact("case.closed", report["code"], 9)
    town.send_vouched(town.login, {**forged, "source": town.source(town.login)})
    receipt = town.receipt(town.login, forged)
    assert receipt["outcome"] == "quarantined"
    assert [error["field"] for error in receipt["errors"]] == ["type"]
    assert town.report(report["code"])["status"] == "accepted"


def test_a_case_of_a_report_that_is_not_here_holds_up_nothing(town):
    report = town.reported()
    strange = town.case_fact("case.filed", "BG20000101-000001", 1)
    filed = {**town.case_fact("case.filed", report["code"], 1), "subject": strange["subject"]}
    town.dispatch_tells(strange, filed)
    eventually(lambda: town.report(report["code"])["status"] == "filed")
    assert town.has_settled(strange)
    assert town.world.sql("SELECT 1 FROM held_event WHERE event_id = %s", strange["id"]) == []
