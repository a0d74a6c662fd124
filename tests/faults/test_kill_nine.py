"""Each service is killed (kill -9) while two thousand incidents flow; nothing is lost, nothing doubled."""

import random
import threading
import time
from collections import Counter
from contextlib import suppress

import pytest
from kit.invariants import Records, differences, is_quiet
from kit.waiting import eventually

from wangge.cli.errors import CommandFailed
from wangge.cli.local import SERVICES

INCIDENTS = 2000
POISON = 20
REPEATED = 100
#: Cases that people carry to their end while services die.
CARRIED = 30

GRIDS = ("14080200290200100", "14080200290200200", "14080200290200300", "14080200290200400")


def the_incidents(town):
    """2,000 incidents of the hotline: some twice under their own number, some broken."""
    chance = random.Random(20251208)
    incidents = [
        town.incident(
            "hotline12345",
            text=f"第 {number} 件：电线垂落",
            channel="hotline_12345",
            category="E0508",
            area=chance.choice(GRIDS),
            external_no=f"KN-{number:05d}",
        )
        for number in range(INCIDENTS - REPEATED)
    ]
    again = [town.incident("hotline12345", **original["data"]) for original in incidents[:REPEATED]]
    return incidents, again


def carry_to_the_end(town, case_no):
    """Claim, start, feed back, check and close a case, trying again while a service is down."""
    steps = [
        ("hx-gongdian-contact", "claim", {}),
        ("hx-gongdian-contact", "start", {}),
        ("hx-shizheng-contact", "assist_done", {"result": "已围挡"}),
        ("hx-gongdian-contact", "feedback", {"result": "已加固", "helpers": ["hx-patrol-1"]}),
        ("hx-dispatcher", "send_check", {"checker": "hx-checker-1"}),
        ("hx-checker-1", "check", {"result": "pass", "note": "已加固"}),
        ("hx-operator", "close", {"reply": "电线已加固"}),
    ]
    for person, command, body in steps:
        until = time.monotonic() + 90
        while True:
            with suppress(CommandFailed):
                town.command(person, case_no, command, **body)
                break
            with suppress(CommandFailed):
                if is_done(town.case(case_no), command):
                    break  # the answer was lost, the command was not
            assert time.monotonic() < until, f"{command} of {case_no} never succeeded"
            time.sleep(0.3)


def is_done(case, command):
    if command == "assist_done":
        return all(assist["state"] == "done" for assist in case["assist"])
    if command == "check":
        return case["state"] != "checking" or "close" in case["allowed"]
    return (
        case["state"]
        not in {
            "claim": {"dispatched"},
            "start": {"claimed"},
            "feedback": {"handling"},
            "send_check": {"handled"},
            "close": {"checking"},
        }[command]
    )


@pytest.mark.timeout(600)
def test_every_service_killed_while_two_thousand_incidents_flow_loses_and_doubles_nothing(town, fragile):
    incidents, again = the_incidents(town)
    poison = [b'{"specversion": "1.0", "id": "poison-%d"}' % number for number in range(POISON)]
    stream = [*incidents, *again, *poison]
    random.Random(7).shuffle(stream)

    published = threading.Thread(target=lambda: publish_slowly(town, stream))
    published.start()
    carried = threading.Thread(target=lambda: carry_some(town))
    carried.start()
    killed = kill_each_service_twice(fragile)
    published.join()
    carried.join()

    records = Records(fragile)
    eventually(lambda: is_quiet(records), 180, step=0.5)

    assert killed == Counter(dict.fromkeys(SERVICES, 2))
    assert differences(records, poison=POISON) == []
    every_message_has_one_receipt(records, [*incidents, *again])
    every_report_has_one_case_and_every_case_one_notice_per_person(records)
    every_closed_case_credits_its_helper_once(records)


def publish_slowly(town, stream):
    for start in range(0, len(stream), 100):
        town.publish("hotline12345", *stream[start : start + 100])
        time.sleep(1.8)


def carry_some(town):
    seen = set()
    while len(seen) < CARRIED:
        with suppress(CommandFailed):
            for case in town.operator.call("dispatch", "GET", "/v1/cases", state="dispatched", limit=10)[
                "items"
            ]:
                if case["case_no"] not in seen and len(seen) < CARRIED:
                    seen.add(case["case_no"])
                    carry_to_the_end(town, case["case_no"])
        time.sleep(0.2)


def kill_each_service_twice(fragile):
    killed = Counter()
    for service in [*SERVICES, *reversed(list(SERVICES))]:
        time.sleep(1.0)
        fragile.kill_service(service)
        killed[service] += 1
        fragile.start_service(service)
    return killed


def every_message_has_one_receipt(records, sent):
    rows = records.rows("intake", "SELECT message_id, outcome, count(*) AS n FROM receipts GROUP BY 1, 2")
    by_id = Counter(row["message_id"] for row in rows)
    assert [event["id"] for event in sent if by_id[event["id"]] != 1] == []
    outcomes = Counter(row["outcome"] for row in rows)
    assert outcomes == {"accepted": INCIDENTS - REPEATED, "duplicate": REPEATED, "quarantined": POISON}


def every_report_has_one_case_and_every_case_one_notice_per_person(records):
    reports = [row["code"] for row in records.rows("intake", "SELECT code FROM reports")]
    cases = Counter(row["report_code"] for row in records.rows("dispatch", "SELECT report_code FROM cases"))
    assert len(reports) == INCIDENTS - REPEATED
    assert cases == Counter(dict.fromkeys(reports, 1))
    doubled = "SELECT event_id, recipient, channel FROM messages GROUP BY 1, 2, 3 HAVING count(*) > 1"
    assert records.rows("notify", doubled) == []
    told = records.rows("notify", "SELECT DISTINCT event_id FROM messages WHERE template = 'unit.dispatched'")
    assert len(told) == len(reports)


def every_closed_case_credits_its_helper_once(records):
    closed = {
        row["case_no"] for row in records.rows("dispatch", "SELECT case_no FROM cases WHERE state = 'closed'")
    }
    assert len(closed) == CARRIED
    credited = Counter(row["case_no"] for row in records.rows("points", "SELECT case_no FROM entries"))
    assert credited == Counter(dict.fromkeys(closed, 1))
