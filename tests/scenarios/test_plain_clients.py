"""Programs that are not ours publish an incident; it goes round to a closed case with points and notices."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from kit.waiting import eventually

STOCK_NAMEKO = Path(__file__).with_name("stock_nameko_publisher.py")


def by_amqp_publish(town, event):
    town.amqp_publish("hotline12345", event)


def by_stock_nameko(town, event):
    subprocess.run(
        [sys.executable, STOCK_NAMEKO, town.publisher_uri("hotline12345"), "hotline12345", town.routing_key],
        input=json.dumps(event).encode(),
        check=True,
        timeout=60,
        env={"PATH": "/usr/bin", "PYTHONWARNINGS": "ignore"},
    )


@pytest.mark.parametrize("publish", [by_amqp_publish, by_stock_nameko])
def test_an_incident_of_a_foreign_program_goes_round_to_a_closed_case_with_points_and_notices(
    hexixijie, publish
):
    town = hexixijie
    town.receipts_on_queue("hotline12345")
    event = town.incident(
        "hotline12345",
        text="和顺里小区东门电线垂到一人高，风一吹打火花。",
        channel="hotline_12345",
        external_no=f"plain-{publish.__name__}",
        location={"address": "和顺里小区东门"},
    )

    publish(town, event)

    receipt = town.receipt("hotline12345", event["id"])
    assert receipt["outcome"] == "accepted"
    on_the_bus = eventually(lambda: town.receipts_on_queue("hotline12345"))
    assert [(each["message_id"], each["outcome"]) for each in on_the_bus] == [(event["id"], "accepted")]
    case = town.case_of(receipt["report_code"], "dispatched")
    assert (case["category"], case["area"], case["lead"]) == ("E0508", "14080200290200200", "hx-gongdian")

    case_no = case["case_no"]
    town.command("hx-gongdian-contact", case_no, "claim")
    town.command("hx-gongdian-contact", case_no, "start")
    town.command("hx-shizheng-contact", case_no, "assist_done", result="已围挡")
    town.command("hx-gongdian-contact", case_no, "feedback", result="已加固", helpers=["hx-patrol-1"])
    town.command("hx-dispatcher", case_no, "send_check", checker="hx-checker-1")
    town.command("hx-checker-1", case_no, "check", result="pass", note="已加固")
    closed = town.command("hx-operator", case_no, "close", reply="电线已加固，感谢您的提醒。")

    assert closed["state"] == "closed"
    told = eventually(lambda: recipients(town, case_no, "reporter.closed"))
    assert len(told) == 1
    assert next(iter(told)).startswith("publisher:hotline12345")
    assert eventually(lambda: recipients(town, case_no, "helper.closed")) >= {"person:hx-patrol-1"}
    assert eventually(lambda: credits_of(town, "hx-patrol-1", case_no)) == 1
    report = eventually(lambda: closed_report(town, receipt["report_code"]))
    assert report["case_no"] == case_no


def recipients(town, case_no, template):
    return {m["recipient"] for m in town.messages(correlation=case_no) if m["template"] == template}


def credits_of(town, person, case_no):
    entries = town.operator.all("points", f"/v1/members/{person}/entries")
    return sum(entry["case_no"] == case_no for entry in entries)


def closed_report(town, code):
    report = town.operator.call("intake", "GET", f"/v1/reports/{code}")
    return report if report["status"] == "closed" else None
