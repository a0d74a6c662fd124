"""Publishers tell of incidents on the bus; every message gets exactly one receipt."""

import json
import uuid

import amqp
import pytest
from kit.waiting import eventually

from wangge.chassis import broker


def outcome(town, login, event):
    return town.receipt(login, event)["outcome"]


def test_a_plain_programs_incident_is_accepted_with_a_receipt_on_its_queue(town):
    event = town.event(town.login, location={"address": "家属院门口"}, reporter_ref="caller-1")
    town.send_plainly(event)
    receipt = town.receipt(town.login, event)
    assert receipt == {
        "publisher": town.login,
        "message_id": event["id"],
        "outcome": "accepted",
        "report_code": receipt["report_code"],
    }
    assert eventually(lambda: town.queue(town.login)) == [receipt]
    report = town.report(receipt["report_code"])
    assert (report["status"], report["area"], report["channel"]) == ("accepted", town.yard, "hotline_12345")
    (told,) = town.world.facts("report.accepted.v1", report["code"])
    assert told["data"]["reporter"]["ref"] == f"publisher:{town.login}/caller-1"
    assert (told["causationid"], told["actor"]) == (event["id"], f"publisher:{town.login}")


def test_a_publisher_reads_its_own_receipts_over_http_and_nobody_elses(town, intake):
    event = town.event(town.login)
    town.send_plainly(event)
    town.receipt(town.login, event)
    path = f"/v1/receipts/{town.login}/{event['id']}"
    assert intake.call("GET", path, **town.keyed(town.login)).json()["outcome"] == "accepted"
    assert intake.call("GET", path, **town.keyed(town.strict)).status_code == 404
    assert intake.call("GET", path, intake.token("w", "grid_worker")).status_code == 404
    assert intake.call("GET", f"/v1/receipts/{town.login}/other", **town.keyed(town.login)).status_code == 404


def test_a_message_id_may_hold_what_an_address_uses(town):
    event = {**town.event(town.login), "id": f"orders/{uuid.uuid4().hex}?no=1#2"}
    town.send_plainly(event)
    path = event["id"].replace("?", "%3F").replace("#", "%23")
    assert town.receipt(town.login, path)["message_id"] == event["id"]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (None, "publisher:{login}"),
        ("caller-7", "publisher:{login}/caller-7"),
        ("person:{worker}", "person:{worker}"),
        ("person:nobody", "publisher:{login}"),
        ("13812345678", "publisher:{login}"),
        ("钱女士", "publisher:{login}"),
    ],
)
def test_whose_report_a_publishers_message_is(town, reference, expected):
    names = {"login": town.login, "worker": town.worker}
    data = {"reporter_ref": reference.format(**names)} if reference else {}
    event = town.event(town.login, **data)
    town.send_plainly(event)
    code = town.receipt(town.login, event)["report_code"]
    (told,) = town.world.facts("report.accepted.v1", code)
    assert told["data"]["reporter"]["ref"] == expected.format(**names)


def test_a_publisher_without_trust_waits_for_an_operator(town):
    event = town.event(town.strict, channel="video")
    town.send_vouched(town.strict, event)
    receipt = town.receipt(town.strict, event)
    assert receipt["outcome"] == "accepted"
    assert town.report(receipt["report_code"])["status"] == "submitted"


def test_the_rules_reject_and_the_receipt_says_so(town):
    event = town.event(town.login, text="这事已起诉")
    town.send_plainly(event)
    receipt = town.receipt(town.login, event)
    assert receipt["outcome"] == "rejected"
    assert town.report(receipt["report_code"])["reason"] == "in_litigation"


def test_the_same_message_again_is_answered_again_and_is_one_report(town):
    event = town.event(town.login)
    town.send_plainly(event)
    first = town.receipt(town.login, event)
    town.send_plainly(event)
    again = town.told(town.login, event, 2)[1]
    assert again == {
        "publisher": town.login,
        "message_id": event["id"],
        "outcome": "duplicate",
        "of": first["report_code"],
    }
    assert town.receipt(town.login, event) == first
    rows = town.world.sql("SELECT 1 FROM reports WHERE sender = %s", f"publisher:{town.login}")
    assert len(rows) == 1


def test_the_same_message_many_times_at_once_is_one_report(town):
    event = town.event(town.login, location=town.at())
    town.send_plainly(*[event] * 20)
    told = town.told(town.login, event, 20)
    assert sorted(receipt["outcome"] for receipt in told) == ["accepted"] + ["duplicate"] * 19


def test_the_same_message_with_and_without_a_vouched_login_is_one_report(town):
    event = town.event(town.login)
    town.send_plainly(event)
    town.receipt(town.login, event)
    town.send_vouched(town.login, event)
    assert [receipt["outcome"] for receipt in town.told(town.login, event, 2)] == ["accepted", "duplicate"]


def test_the_same_external_number_under_another_id_is_a_duplicate(town):
    first, second = (town.event(town.login, external_no="20230914-0031") for _ in range(2))
    town.send_plainly(first, second)
    receipts = [town.receipt(town.login, event) for event in (first, second)]
    outcomes = {receipt["outcome"]: receipt for receipt in receipts}
    assert outcomes["duplicate"]["of"] == outcomes["accepted"]["report_code"]


def test_near_incidents_of_one_burst_are_merged_into_one(town):
    events = [town.event(town.login, location=town.at(metres=n)) for n in range(30)]
    town.send_plainly(*events)
    receipts = [town.receipt(town.login, event) for event in events]
    (master,) = [receipt["report_code"] for receipt in receipts if receipt["outcome"] == "accepted"]
    merged = [receipt for receipt in receipts if receipt["outcome"] == "merged"]
    assert [receipt["of"] for receipt in merged] == [master] * 29


# bad input


def wrong(town, login, event, send=None):
    (send or town.send_plainly)(event)
    receipt = town.receipt(login, event)
    assert receipt["outcome"] == "quarantined"
    assert "report_code" not in receipt
    return {error["field"] for error in receipt["errors"]}


def test_every_wrong_field_is_named_in_the_receipt(town):
    event = town.event(
        town.login, channel="video", category="X1", location={"lng": 1.0, "lat": 1.0}, text="路灯"
    )
    assert wrong(town, town.login, event) == {"data.channel", "data.category", "data.location"}
    event = town.event(town.login, text="", channel="pigeon", occurred_at="yesterday")
    assert wrong(town, town.login, event) == {"data.text", "data.channel", "data.occurred_at"}


def test_an_area_outside_the_publishers_is_named_where_it_stood(town):
    event = town.event(town.login, area="140105100901")
    assert wrong(town, town.login, event) == {"data.area"}
    event = {**town.event(town.login), "area": "140105100901"}
    assert wrong(town, town.login, event) == {"area"}


def test_unknown_types_and_versions_are_named(town):
    assert wrong(town, town.login, {**town.event(town.login), "type": "incident.reported.v9"}) == {"type"}


def test_a_login_that_writes_anothers_source_is_answered_itself(town):
    event = {**town.event(town.strict, channel="video"), "source": town.source(town.login)}
    assert wrong(town, town.strict, event, lambda sent: town.send_vouched(town.strict, sent)) == {"source"}


def test_a_publisher_that_must_be_vouched_for_is_not_believed_without(town):
    assert wrong(town, town.strict, town.event(town.strict, channel="video")) == {"user_id"}


def test_the_broker_refuses_a_message_in_anothers_name(town):
    event = town.event(town.login)
    with pytest.raises(amqp.PreconditionFailed, match="user_id"):
        town.send(town.world.publisher_uri(town.strict), event, user_id=town.login)
    assert town.world.sql("SELECT 1 FROM receipts WHERE message_id = %s", event["id"]) == []


def test_a_message_under_a_wrong_routing_key_is_taken_as_it_says_itself(town):
    event = town.event(town.strict, channel="video")
    connection = broker.connect((town.world.publisher_uri(town.strict),), confirm_publish=True)
    message = amqp.Message(json.dumps(event).encode(), user_id=town.strict)
    connection.channel().basic_publish(message, "incidents", "nonsense.key")
    connection.close()
    assert outcome(town, town.strict, event) == "accepted"


def test_a_stranger_is_quarantined_under_unknown(town):
    stranger = f"https://stranger-{uuid.uuid4().hex}.example"
    assert wrong(town, "unknown", {**town.event(town.login), "source": stranger}) == {"source"}


@pytest.mark.parametrize("body", [b"not json", b"[]", b"\xff\xfe", b'{"id": "x'])
def test_junk_is_answered_to_the_login_under_the_messages_own_id(town, body):
    message_id = f"junk-{uuid.uuid4().hex}"
    town.send(town.world.publisher_uri(town.strict), body, user_id=town.strict, message_id=message_id)
    receipt = town.receipt(town.strict, message_id)
    assert (receipt["outcome"], receipt["errors"][0]["field"]) == ("quarantined", "body")


def test_junk_sent_again_under_the_same_id_is_answered_again(town):
    message_id = f"junk-{uuid.uuid4().hex}"
    for times in (1, 2):
        town.send(
            town.world.publisher_uri(town.strict), b"not json", user_id=town.strict, message_id=message_id
        )
        told = town.told(town.strict, message_id, times)
    assert [receipt["outcome"] for receipt in told] == ["quarantined"] * 2


def test_a_message_of_more_than_256_kib_is_answered(town):
    event = town.event(town.login, text="墙" * 90_000)
    assert wrong(town, town.login, event) == {"body"}


def test_good_neighbours_of_a_bad_message_are_unharmed(town):
    good = [town.event(town.login, text=f"垃圾{n}") for n in range(10)]
    bad = town.event(town.login, category="X1")
    town.send_plainly(*good[:5], bad, b"junk", *good[5:])
    assert [outcome(town, town.login, event) for event in good] == ["accepted"] * 10
    assert outcome(town, town.login, bad) == "quarantined"


def held(town, event):
    (row,) = town.world.sql("SELECT id FROM held_event WHERE event_id = %s", event["id"])
    return row["id"]


def test_a_replayed_message_gets_a_new_receipt_in_the_place_of_the_old(town, intake):
    event = town.event(town.login, category="C0101")
    assert wrong(town, town.login, event) == {"data.category"}
    categories = [*town.part()["categories"], {"code": "C0101", "name": "井盖", "keywords": ["井盖"]}]
    town.apply(categories=categories)
    answer = intake.call("POST", f"/v1/held/{held(town, event)}/replay", town.admin, {})
    assert answer.ok, answer.text
    eventually(lambda: town.receipt(town.login, event)["outcome"] == "accepted")
    assert [receipt["outcome"] for receipt in town.told(town.login, event, 2)] == ["quarantined", "accepted"]
    assert "errors" not in town.receipt(town.login, event)


def test_a_message_corrected_by_an_operator_is_accepted(town, intake):
    event = town.event(town.login, category="X1")
    wrong(town, town.login, event)
    event["data"]["category"] = "C0137"
    path, body = f"/v1/held/{held(town, event)}", {"body": json.dumps(event), "reason": "told by telephone"}
    assert intake.call("POST", f"{path}/edit", town.admin, body).ok
    assert intake.call("POST", f"{path}/replay", town.admin, {}).ok
    eventually(lambda: town.receipt(town.login, event)["outcome"] == "accepted")


def test_a_replay_that_is_still_wrong_stays_in_quarantine(town, intake):
    event = town.event(town.login, category="X1")
    wrong(town, town.login, event)
    assert intake.call("POST", f"/v1/held/{held(town, event)}/replay", town.admin, {}).ok
    assert [receipt["outcome"] for receipt in town.told(town.login, event, 2)] == ["quarantined"] * 2
    assert outcome(town, town.login, event) == "quarantined"


def test_a_quarantined_message_sent_again_is_told_so_again(town):
    event = town.event(town.login, category="X1")
    wrong(town, town.login, event)
    town.send_plainly(event)
    assert [receipt["outcome"] for receipt in town.told(town.login, event, 2)] == ["quarantined"] * 2


def test_nobody_spoils_the_receipt_of_a_message_that_was_taken(town):
    event = town.event(town.login)
    town.send_plainly(event)
    first = town.receipt(town.login, event)
    town.send_plainly({**event, "type": "incident.reported.v9"})
    assert [receipt["outcome"] for receipt in town.told(town.login, event, 2)] == ["accepted", "quarantined"]
    assert town.receipt(town.login, event) == first
