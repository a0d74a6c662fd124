"""Who is told what about a fact, and that nobody else is."""

from kit.waiting import eventually


def recipients(town, messages):
    return sorted(message["recipient"].removeprefix(f"person:{town.key}-") for message in messages)


def test_dispatched_case_is_told_to_the_lead_and_assisting_units_and_the_grid_leader_and_to_nobody_else(town):
    town.apply()
    town.people()
    event = town.dispatched(assist=("estate",))
    told = town.told(event)
    assert recipients(town, told) == ["contact", "head", "helper-contact", "leader"]
    assert {message["channel"] for message in told} == {"inbox"}
    assert {message["state"] for message in told} == {"delivered"}
    words = {message["template"]: (message["title"], message["text"]) for message in told}
    assert words == {
        "lead": ("派单 墙体脱落", f"院门口墙体脱落；{town.key}供电所；9月14日 21:00"),
        "leader": (f"知悉 {town.key}一网格", f"{town.key}社区：院门口墙体脱落"),
    }


def test_overdue_case_is_told_to_the_lead_the_grid_leader_and_the_secretary(town):
    town.apply()
    town.people()
    told = town.told(town.overdue())
    assert recipients(town, told) == ["contact", "head", "leader", "secretary"]
    assert {message["text"] for message in told} == {"院门口墙体脱落已超时 3 分钟"}


def test_closed_case_is_answered_to_each_reporter_once_and_helpers_are_thanked(town):
    town.apply()
    reporters = [f"resident:{town.key}-a", f"publisher:{town.key}-hotline", f"person:{town.id('worker')}"]
    event = town.closed(
        reporters,
        helpers=(("worker", "reporter"), ("worker", "helper"), ("patrol", "helper"), ("contact", "handler")),
    )
    told = town.told(event)
    by_recipient = {message["recipient"]: message["template"] for message in told}
    assert len(told) == len(by_recipient)
    assert by_recipient == {
        **dict.fromkeys(reporters, "reply"),
        f"person:{town.id('patrol')}": "thanks",
        f"person:{town.id('contact')}": "thanks",
    }


def test_rejected_report_is_answered_unless_its_reporter_wants_no_reply(town, notify):
    town.apply()
    number = iter((1, 2))

    def reject(wants_reply):
        reporter = {"ref": f"resident:{town.key}-r", "confidential": True, "wants_reply": wants_reply}
        data = {
            "report_code": f"BG20230914-{town.area[-3:]}{next(number):03d}",
            "area": town.grid,
            "reason": "in_litigation",
            "reply": "该事项已进入诉讼程序。",
            "reporter": reporter,
        }
        return notify.publish("report.rejected.v1", data)

    (answer,) = town.told(reject(True))
    assert (answer["recipient"], answer["text"]) == (f"resident:{town.key}-r", "该事项已进入诉讼程序。")
    assert town.told(reject(False)) == []


def test_same_event_twice_and_under_another_source_makes_one_message(town, notify):
    town.apply()
    event = town.closed([f"resident:{town.key}-a"])
    assert len(town.told(event)) == 1
    notify.publish_again(event)
    notify.publish_again({**event, "source": "/wangge/dispatch-2"})
    later = town.closed([f"resident:{town.key}-a"], ())
    assert len(town.told(later)) == 1
    eventually(
        lambda: len(notify.sql("SELECT 1 FROM inbox WHERE event_id = %s", event["id"])) == 2,
    )
    assert len(town.told(event)) == 1


def test_fact_of_a_community_without_a_site_is_told_to_nobody(town, another_town):
    town.apply()
    another_town.people()
    assert town.told(another_town.dispatched()) == []


def test_each_community_is_told_by_its_own_routes(town, another_town):
    town.apply()
    another_town.apply(routes=[{"event": "case.closed", "template": "thanks", "to": ["reporters"]}])
    (here,) = town.told(town.closed([f"resident:{town.key}-a"]))
    (there,) = town.told(another_town.closed([f"resident:{town.key}-a"]))
    assert (here["template"], there["template"]) == ("reply", "thanks")


def test_unit_without_known_people_finds_the_message_in_the_units_own_inbox(town, notify):
    town.apply()
    (waiting,) = town.told(town.dispatched())
    assert waiting["recipient"] == f"unit:{town.id('power')}"
    clerk = notify.token(town.id("clerk"), "unit_contact", unit=town.id("power"))
    inbox = notify.call("GET", "/v1/inbox", clerk).json()
    assert [item["message_id"] for item in inbox["items"]] == [waiting["message_id"]]


def test_template_that_cannot_be_filled_in_holds_the_event_and_its_replay_tells_it(town, notify):
    broken = [{"code": "reply", "title": "已办结", "text": "{{ 1 // (closing - 1) }}"}]
    routes = [{"event": "case.closed", "template": "reply", "to": ["reporters"]}]
    town.apply(templates=broken, routes=routes)
    event = town.closed([f"resident:{town.key}-a"])
    assert town.told(event) == []
    (held,) = notify.sql("SELECT * FROM held_event WHERE event_id = %s", event["id"])
    assert (held["state"], held["cause"]) == ("quarantined", "template.broken")
    town.apply(routes=routes)
    admin = notify.token("boss", "admin")
    assert notify.call("POST", f"/v1/held/{held['id']}/replay", admin, {}).ok
    eventually(lambda: town.told(event))
    assert [message["text"] for message in town.told(event)] == ["墙体已修复。"]
