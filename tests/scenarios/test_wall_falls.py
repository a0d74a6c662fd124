"""A wall falls at the gate of the north courtyard (河西西街, 14 September 2023, scenario A1).

At 19:00 a grid worker reports it; three neighbours call the hotline by 19:20; the power company comes at 19:50 and has
knocked off what hung loose by 20:45; the limit of two hours ends at 21:00:00; everybody who reported gets one answer.
"""

from datetime import datetime

import pytest
from kit.waiting import eventually

WALL = {
    "title": "家属院北院门口墙体脱落",
    "text": "电业局家属院北院门口墙体脱落，砖块掉到人行道，上方还有空鼓。",
    "channel": "grid_visit",
    "urgency": "emergency",
    "category": "E0596",
}
LIMIT = datetime.fromisoformat("2023-09-14T21:00:00+08:00")
NEXT_TO_IT = [(110.98855, 35.03183), (110.98864, 35.03178), (110.98858, 35.03176)]

pytestmark = pytest.mark.usefixtures("released_clock")


@pytest.fixture
def wall(hexixijie):
    """Given the wall that the grid worker reported at 19:00."""
    hexixijie.clock_at("2023-09-14T19:00:00+08:00")
    report = hexixijie.act(
        "hx-worker-1", "intake", "POST", "/v1/reports",
        WALL | {
            "occurred_at": "2023-09-14T19:00:00+08:00",
            "location": {"lng": 110.98860, "lat": 35.03180, "address": "电业局家属院北院门口"},
        },
    )  # fmt: skip
    assert report["status"] in ("accepted", "filed")
    return hexixijie.case_of(report["code"])


def instant(text):
    return datetime.fromisoformat(text)


def neighbour_calls(town, at, number, position):
    """A neighbour calls the hotline; answers the message's receipt."""
    event = town.incident(
        "hotline12345",
        text="家属院北院门口往下掉砖，太危险了。",
        channel="hotline_12345",
        category="E0596",
        occurred_at=at,
        external_no=f"A1-{number}-{at}",
        reporter_ref=f"caller-{number}",
        location={"lng": position[0], "lat": position[1], "address": "电业局家属院北院门口"},
    )
    town.amqp_publish("hotline12345", event)
    return town.receipt("hotline12345", event["id"])


def notices(town, case, event_name):
    """Who was told of which fact of the case, each once."""
    found = [
        (message["recipient"], message["channel"])
        for message in town.messages(correlation=case["case_no"])
        if message["template"].endswith(event_name)
    ]
    assert len(found) == len(set(found))
    return {recipient for recipient, channel in found if channel == "inbox"}


def test_the_case_is_filed_and_dispatched_to_the_power_company_with_two_hours(hexixijie, wall):
    assert (wall["state"], wall["category"], wall["level"]) == ("dispatched", "E0596", "L2")
    assert wall["lead"] == "hx-gongdian"
    assert [assist["unit"] for assist in wall["assist"]] == ["hx-wuguanhui"]
    assert wall["area"] == "14080200290200100"
    assert instant(wall["deadline"]) == LIMIT
    assert len(wall["case_no"]) == 19
    assert wall["case_no"].startswith("14080220230914")
    told = eventually(lambda: notices(hexixijie, wall, "unit.dispatched"))
    assert {"person:hx-gongdian-contact", "person:hx-wuguanhui-contact"} <= told
    leaders = eventually(lambda: notices(hexixijie, wall, "leader.dispatched"))
    assert leaders == {"person:hx-leader-1", "person:hx-secretary"}
    close_on_the_spot(hexixijie, wall)


def test_on_the_dot_is_on_time_and_one_second_later_is_overdue_once(hexixijie, wall):
    hexixijie.clock_at("2023-09-14T21:00:00+08:00")
    hexixijie.command("hx-gongdian-contact", wall["case_no"], "claim")
    assert notices(hexixijie, wall, "overdue") == set()
    hexixijie.clock_at("2023-09-14T21:00:01+08:00")
    told = eventually(lambda: notices(hexixijie, wall, "overdue"))
    assert {"person:hx-gongdian-contact", "person:hx-leader-1"} <= told
    hexixijie.clock_at("2023-09-14T22:00:00+08:00")
    hexixijie.command("hx-gongdian-contact", wall["case_no"], "start")
    overdue = hexixijie.operator.all("dispatch", f"/v1/cases/{wall['case_no']}/history")
    assert notices(hexixijie, wall, "overdue") == told
    assert [step["seq"] for step in overdue] == list(range(1, len(overdue) + 1))
    close_on_the_spot(hexixijie, wall)


def test_the_whole_evening_ends_with_one_answer_for_each_of_the_four_who_reported(hexixijie, wall):
    town, case_no = hexixijie, wall["case_no"]
    merged = []
    for number, (minute, position) in enumerate(zip(("05", "12", "20"), NEXT_TO_IT, strict=True), 1):
        at = f"2023-09-14T19:{minute}:00+08:00"
        town.clock_at(at)
        merged.append(neighbour_calls(town, at, number, position))
    assert [(receipt["outcome"], receipt["of"]) for receipt in merged] == [
        ("merged", wall["report_code"])
    ] * 3

    town.clock_at("2023-09-14T19:08:00+08:00")
    town.command("hx-gongdian-contact", case_no, "claim")
    town.clock_at("2023-09-14T19:50:00+08:00")
    town.command("hx-gongdian-contact", case_no, "start")
    town.clock_at("2023-09-14T20:45:00+08:00")
    town.command("hx-wuguanhui-contact", case_no, "assist_done", result="已协助警戒")
    handled = town.command(
        "hx-gongdian-contact", case_no, "feedback", result="空鼓墙体全部敲除", helpers=["hx-patrol-1"]
    )
    assert handled["on_time"] is True
    town.command("hx-dispatcher", case_no, "send_check", checker="hx-checker-1")
    town.clock_at("2023-09-14T21:00:00+08:00")
    town.command("hx-checker-1", case_no, "check", result="pass", note="已无悬挂墙体")
    town.clock_at("2023-09-15T17:36:00+08:00")
    closed = town.command("hx-operator", case_no, "close", reply="墙体已修复，警戒解除，可以正常通行。")
    assert (closed["state"], instant(closed["deadline"])) == ("closed", LIMIT)

    answers = eventually(
        lambda: [m for m in answers_of(town, case_no) if len(answers_of(town, case_no)) == 4]
    )
    assert len({message["recipient"] for message in answers}) == 4
    assert "person:hx-worker-1" in {message["recipient"] for message in answers}
    assert all("墙体已修复" in message["text"] for message in answers)
    for person in ("hx-worker-1", "hx-patrol-1"):
        entries = eventually(lambda person=person: credited(town, person, case_no))
        assert [entry["item"] for entry in entries] == [entries[0]["item"]]
    history = town.operator.all("dispatch", f"/v1/cases/{case_no}/history")
    assert [step["at"] for step in history] == sorted(step["at"] for step in history)


def answers_of(town, case_no):
    return [
        message
        for message in town.messages(correlation=case_no)
        if message["template"] == "reporter.closed" and message["channel"] == "inbox"
    ]


def credited(town, person, case_no):
    entries = town.operator.all("points", f"/v1/members/{person}/entries")
    return [entry for entry in entries if entry["case_no"] == case_no]


def close_on_the_spot(town, case):
    """Bring the case to its end, so that the next story's reports do not join it."""
    steps = [
        ("hx-gongdian-contact", "claim", {}),
        ("hx-gongdian-contact", "start", {}),
        ("hx-wuguanhui-contact", "assist_done", {"result": "已协助"}),
        ("hx-gongdian-contact", "feedback", {"result": "险情排除"}),
        ("hx-dispatcher", "send_check", {"checker": "hx-checker-1"}),
        ("hx-checker-1", "check", {"result": "pass", "note": "属实"}),
        ("hx-operator", "close", {"reply": "险情已排除。"}),
    ]
    done = {"claimed": 1, "handling": 2}.get(town.case(case["case_no"])["state"], 0)
    for person, command, body in steps[done:]:
        town.command(person, case["case_no"], command, **body)
    eventually(
        lambda: (
            town.operator.call("intake", "GET", f"/v1/reports/{case['report_code']}")["status"] == "closed"
        )
    )
