"""Entries that a clerk records and somebody else reviews."""

import threading

import pytest


def fields_of(answer) -> set[str]:
    return {error["field"] for error in answer.json()["errors"]}


def test_recorded_entry_counts_once_somebody_else_has_posted_it(village):
    answer = village.record("m1", "B1", note="九月大会")
    assert answer.status_code == 201, answer.text
    recorded = answer.json()
    assert (recorded["state"], recorded["value"], recorded["source"]) == ("recorded", 6, "manual")
    assert village.member("m1")["evaluation"]["total"] == 0
    work_list = village.points.get("/v1/entries", village.reviewer, state="recorded", area=village.area)
    assert [each["entry_id"] for each in work_list["items"]] == [recorded["entry_id"]]

    answer = village.review(recorded["entry_id"], note="属实")
    posted = answer.json()
    assert (answer.status_code, posted["state"], posted["counted"]) == (200, "posted", 6)
    assert (posted["recorded_by"], posted["reviewed_by"]) == (
        f"{village.site}-clerk",
        f"{village.site}-reviewer",
    )
    member = village.member("m1")
    assert member["evaluation"] == {"base": 6, "award": 0, "penalty": 0, "total": 6, "band": "blue"}
    assert member["wallet"] == 6
    (fact,) = village.told("m1")
    assert (fact["type"], fact["part"], fact["value"], fact["case_no"]) == (
        "points.posted.v1",
        "base",
        "6.00",
        None,
    )


def test_recorder_who_is_also_a_reviewer_does_not_review_their_own_entry(village):
    entry_id = village.record("m1", "B6").json()["entry_id"]
    both = village.points.token(f"{village.site}-clerk", "points_clerk", "points_reviewer")
    for decision in ("post", "refuse"):
        answer = village.review(entry_id, decision, token=both)
        assert (answer.status_code, answer.json()["code"]) == (403, "entry.same_person")
    assert village.entries("m1")[0]["state"] == "recorded"


def test_refused_entry_counts_nothing_and_is_not_reviewed_again(village):
    entry_id = village.record("m1", "B6").json()["entry_id"]
    refused = village.review(entry_id, "refuse").json()
    assert refused["state"] == "refused"
    again = village.review(entry_id)
    assert (again.status_code, again.json()["code"], again.json()["allowed"]) == (
        409,
        "entry.move_forbidden",
        [],
    )
    assert village.member("m1")["wallet"] == 0
    assert village.told("m1") == []


def test_entry_reviewed_twice_at_once_is_posted_once(village):
    entry_id = village.record("m1", "B6").json()["entry_id"]
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(village.review(entry_id))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    assert village.member("m1")["wallet"] == 6


def test_posted_entry_is_taken_back_once(village):
    posted = village.post("m1", "A1")
    answer = village.reverse(posted["entry_id"], "重复登记")
    assert (answer.status_code, answer.json()["state"], answer.json()["reason"]) == (
        200,
        "reversed",
        "重复登记",
    )
    again = village.reverse(posted["entry_id"])
    assert (again.status_code, again.json()["code"]) == (409, "entry.move_forbidden")
    counter = village.reverse(answer.json()["reversed_by"])
    assert (counter.status_code, counter.json()["code"]) == (409, "entry.is_counter")
    assert (village.award("m1"), village.member("m1")["wallet"]) == (0, 0)
    assert [fact["type"] for fact in village.told("m1")] == ["points.posted.v1", "points.reversed.v1"]


def test_penalty_lowers_score_and_wallet_and_neither_falls_below_0(village):
    village.post("m1", "B1")
    penalty = village.post("m1", "P4")
    member = village.member("m1")
    assert (member["evaluation"]["total"], member["evaluation"]["penalty"], member["wallet"]) == (0, 10, 0)
    assert [(line["balance_after"], line["shortfall_after"]) for line in village.ledger("m1")] == [
        (6, 0),
        (0, 4),
    ]
    village.reverse(penalty["entry_id"])
    assert village.member("m1")["wallet"] == 6


def test_value_within_the_rules_range_is_the_recorders_choice(village):
    village.apply(rule_set=village.rules_with("B7", value_min=0.5))
    assert village.post("m1", "B7", value=2.25)["value"] == 2.25
    assert fields_of(village.record("m1", "B7", value=0.25)) == {"value"}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"item": "B99"}, {"item"}),
        ({"value": 7}, {"value"}),
        ({"value": 5.999}, {"value"}),
        ({"value": "NaN"}, {"value"}),
        ({"value": -6}, {"value"}),
        ({"evidence": []}, {"evidence"}),
        ({"evidence": [{"kind": "photo_near"}]}, {"evidence.0.url"}),
        ({"occurred_on": "2025-09-15"}, {"occurred_on"}),
        ({"occurred_on": "2022-12-31"}, {"person_id"}),
        ({"occurred_on": "14.9.2025", "item": "", "extra": 1}, {"occurred_on", "item", "extra"}),
        ({"person_id": "nobody"}, {"person_id"}),
        ({"value": 7, "evidence": [], "occurred_on": "2025-12-01"}, {"value", "evidence", "occurred_on"}),
    ],
)
def test_wrong_fields_of_a_record_are_named_at_once(village, change, wrong):
    answer = village.record("m1", "B1", **change)
    assert answer.status_code == 422, answer.text
    assert fields_of(answer) == wrong


def test_each_command_has_its_role(village):
    entry_id = village.record("m1", "B6").json()["entry_id"]
    points, member = village.points, village.points.token(village.id("m1"), "grid_party_member")
    body = {"person_id": village.id("m1"), "item": "B6", "occurred_on": "2025-09-14"}
    for path, json, token in (
        ("/v1/entries", body, village.reviewer),
        (f"/v1/entries/{entry_id}/review", {"decision": "post"}, village.clerk),
        (f"/v1/entries/{entry_id}/reverse", {"reason": "x"}, member),
    ):
        answer = points.call("POST", path, token, json)
        assert (answer.status_code, answer.json()["code"]) == (403, "role.missing")
    assert points.call("POST", "/v1/entries", None, body).status_code == 401


def test_what_is_outside_the_scope_is_not_there(village):
    entry_id = village.record("m1", "B6").json()["entry_id"]
    points = village.points
    elsewhere = ("140802",)
    reviewer = points.token("far", "points_reviewer", areas=elsewhere)
    assert points.call("GET", f"/v1/entries/{entry_id}", reviewer).status_code == 404
    assert village.review(entry_id, token=reviewer).status_code == 404
    assert points.call("GET", f"/v1/members/{village.id('m1')}", reviewer).status_code == 404
    assert points.call("GET", "/v1/entries", reviewer, area=village.area).status_code == 403
    assert points.get("/v1/entries", reviewer)["items"] == []
    clerk = points.token("far-clerk", "points_clerk", areas=elsewhere)
    body = {"person_id": village.id("m1"), "item": "B6", "occurred_on": "2025-09-14"}
    assert fields_of(points.call("POST", "/v1/entries", clerk, body)) == {"person_id"}


def test_members_see_their_own_points_and_nobody_elses(village):
    entry = village.post("m1", "B6")
    points, own = village.points, village.points.token(village.id("m1"), areas=())
    assert points.get(f"/v1/members/{village.id('m1')}", own)["wallet"] == 6
    assert points.get(f"/v1/entries/{entry['entry_id']}", own)["item"] == "B6"
    assert len(points.get(f"/v1/members/{village.id('m1')}/wallet", own)["items"]) == 1
    for path in ("", "/entries", "/wallet"):
        assert points.call("GET", f"/v1/members/{village.id('m2')}{path}", own).status_code == 404
    assert points.call("GET", "/v1/members", own).status_code == 403


def test_stale_version_is_refused(village):
    entry = village.record("m1", "B6").json()
    answer = points_call(village, entry, '"7"')
    assert (answer.status_code, answer.json()["code"]) == (412, "version.stale")
    answer = points_call(village, entry, f'"{entry["version"]}"')
    assert (answer.status_code, answer.headers["ETag"]) == (200, f'"{entry["version"] + 2}"')


def points_call(village, entry, version):
    path = f"/v1/entries/{entry['entry_id']}/review"
    return village.points.call(
        "POST", path, village.reviewer, {"decision": "post"}, headers={"If-Match": version}
    )


def test_repeated_request_with_its_key_records_once(village):
    body = {"person_id": village.id("m1"), "item": "B6", "occurred_on": "2025-09-14"}
    key = {"Idempotency-Key": f"{village.site}-1"}
    first, second = (
        village.points.call("POST", "/v1/entries", village.clerk, body, headers=key) for _ in "ab"
    )
    assert first.json()["entry_id"] == second.json()["entry_id"]
    assert len(village.entries("m1")) == 1


def test_entries_are_listed_newest_first_page_by_page(village):
    recorded = [village.record("m1", "B6").json()["entry_id"] for _ in range(5)]
    seen, cursor = [], None
    path = f"/v1/members/{village.id('m1')}/entries"
    while True:
        found = village.points.get(path, village.secretary, limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [entry["entry_id"] for entry in found["items"]]
        cursor = found["next_cursor"]
        if not cursor:
            break
    assert seen == recorded[::-1]
    broken = village.points.call("GET", path, village.secretary, cursor="Ww")
    assert (broken.status_code, fields_of(broken)) == (422, {"cursor"})
