"""What closings and reopenings of cases credit and take back, whatever the bus does to them."""

from collections import Counter

from kit.waiting import eventually


def test_member_who_helped_is_credited_and_told(village):
    case_no = village.a_case()
    village.tell(village.closed(case_no, ("m1", "handler"), ("m2", "helper"), ("stranger", "helper")))
    (entry,) = village.entries("m1")
    assert {
        name: entry[name] for name in ("item", "part", "value", "counted", "state", "source", "period")
    } == {
        "item": "A3",
        "part": "award",
        "value": 2,
        "counted": 2,
        "state": "posted",
        "source": "event",
        "period": "2025Q3",
    }
    assert (entry["case_no"], entry["closing"], entry["occurred_on"]) == (case_no, 1, "2025-09-14")
    for name in ("m1", "m2"):
        member = village.member(name)
        assert (member["evaluation"]["award"], member["wallet"]) == (2, 2)
        (fact,) = village.told(name)
        assert (fact["type"], fact["value"], fact["part"], fact["case_no"]) == (
            "points.posted.v1",
            "2.00",
            "award",
            case_no,
        )
    assert village.told("stranger") == []


def test_other_parts_and_categories_earn_nothing(village):
    village.tell(
        village.closed(village.a_case(), ("m1", "reporter")),
        village.closed(village.a_case(), ("m1", "handler"), category="E0110"),
        village.closed(village.a_case(), category="G0101"),
    )
    assert village.entries("m1") == []
    assert village.told("m1") == []


def test_member_with_two_parts_in_a_case_is_credited_once(village):
    village.tell(village.closed(village.a_case(), ("m1", "handler"), ("m1", "helper")))
    assert village.award("m1") == 2


def test_closing_delivered_three_times_is_credited_once(village):
    closed = village.closed(village.a_case(), ("m1", "handler"))
    last = village.closed(closed.subject, ("m2", "handler"), closing=2)
    village.tell(closed, closed, closed, last)
    assert len(village.entries("m1")) == 1
    assert village.member("m1")["wallet"] == 2
    assert len(village.told("m1")) == 1


def test_rule_of_the_day_when_the_case_was_closed_holds(village):
    village.apply(rule_set=village.rules_with("A3", value=5) | {"valid_from": "2025-09-14"})
    village.tell(
        village.closed(village.a_case(), ("m1", "handler"), at="2025-09-13T23:59:59+08:00"),
        village.closed(village.a_case(), ("m2", "handler"), at="2025-09-14T00:00:00+08:00"),
        village.closed(village.a_case(), ("m3", "handler"), at="2022-12-31T23:59:59+08:00"),
    )
    assert (village.award("m1"), village.award("m2")) == (2, 5)
    assert village.entries("m3") == []


def test_limits_of_an_item_hold_and_what_counts_nothing_is_not_told(village):
    village.apply(rule_set=village.rules_with("A3", per_period_cap=5, max_times=3))
    village.tell(*(village.closed(village.a_case(), ("m1", "handler")) for _ in range(5)))
    assert village.award("m1") == 5
    assert village.member("m1")["wallet"] == 5
    assert sorted(entry["counted"] for entry in village.entries("m1")) == [0, 0, 1, 2, 2]
    assert [fact["value"] for fact in village.told("m1")] == ["2.00", "2.00", "1.00"]


def test_reopening_takes_back_what_the_closing_gave(village):
    case_no = village.a_case()
    village.tell(
        village.closed(case_no, ("m1", "handler")), village.closed(village.a_case(), ("m1", "helper"))
    )
    village.tell(village.reopened(case_no))
    assert village.award("m1") == 2
    counter, *others = village.entries("m1")
    (taken_back,) = [entry for entry in others if entry["entry_id"] == counter["reverses"]]
    assert (taken_back["state"], taken_back["reversed_by"]) == ("reversed", counter["entry_id"])
    assert [(line["delta"], line["balance_after"], line["reason"]) for line in village.ledger("m1")] == [
        (2, 2, "entry"),
        (2, 4, "entry"),
        (-2, 2, "reversal"),
    ]
    fact = village.told("m1")[-1]
    assert (fact["type"], fact["value"], fact["case_no"]) == ("points.reversed.v1", "2.00", case_no)
    assert (fact["reverses"], fact["entry_id"]) == (taken_back["entry_id"], counter["entry_id"])


def test_reopening_delivered_three_times_takes_back_once(village):
    case_no = village.a_case()
    reopened = village.reopened(case_no)
    again = village.closed(case_no, ("m1", "handler"), closing=2)
    village.tell(village.closed(case_no, ("m1", "handler")), reopened, reopened, reopened, again)
    assert (village.award("m1"), village.member("m1")["wallet"]) == (2, 2)
    assert len(village.entries("m1")) == 3


def test_reopening_that_arrives_before_its_closing_leads_to_the_same_sums(village):
    case_no = village.a_case()
    village.tell(village.reopened(case_no, closing=1))
    village.tell(village.closed(case_no, ("m1", "handler"), closing=1))
    assert (village.award("m1"), village.member("m1")["wallet"]) == (0, 0)
    assert village.told("m1") == []
    village.tell(village.closed(case_no, ("m1", "handler"), closing=2))
    assert (village.award("m1"), village.member("m1")["wallet"]) == (2, 2)
    village.tell(village.closed(case_no, ("m2", "handler"), closing=3), village.reopened(case_no, closing=2))
    assert (village.award("m1"), village.award("m2")) == (0, 2)


def test_points_that_were_away_while_20_cases_closed_credit_exactly_20(village, points):
    closings = [village.closed(village.a_case(), ("m1", "handler")) for _ in range(20)]
    points.stop()
    village.dispatch.publish(*closings)
    village.dispatch.publish(*closings[:5])
    points.start()
    eventually(lambda: points.has_settled(*closings))
    entries = village.entries("m1", limit=100)
    assert Counter(entry["case_no"] for entry in entries) == Counter(event.subject for event in closings)
    assert village.member("m1", period="2025Q3")["wallet"] == 40


def test_points_killed_while_cases_close_credit_each_once(village, points):
    closings = [village.closed(village.a_case(), ("m1", "handler"), ("m2", "helper")) for _ in range(300)]
    village.dispatch.publish(*closings[:200])
    eventually(lambda: village.points.sql("SELECT 1 FROM entries WHERE person_id = %s", village.id("m1")))
    points.kill()
    village.dispatch.publish(*closings[200:], *closings[:50])
    points.start()
    eventually(lambda: points.has_settled(*closings), 60)
    for name in ("m1", "m2"):
        assert village.member(name)["wallet"] == 600
        told = village.told(name)
        assert len(told) == len({fact["case_no"] for fact in told}) == 300


def test_posts_for_the_same_members_on_all_lanes_at_once_add_up(village, points):
    """Helpers are named in opposite orders, so locks taken by person would wait for each other."""
    closings = [
        village.closed(village.a_case(), *((name, "helper") for name in (order[n % 5], order[(n + 1) % 5])))
        for n in range(200)
        for order in [village.members if n % 2 else village.members[::-1]]
    ]
    reopenings = [village.reopened(event.subject) for event in closings[::4]]
    village.dispatch.publish(*closings, *reopenings)
    eventually(lambda: points.has_settled(*closings, *reopenings), 60)
    standing = Counter(
        helper["person_id"] for n, event in enumerate(closings) if n % 4 for helper in event.data["helpers"]
    )
    for name in village.members:
        assert village.member(name)["wallet"] == 2 * standing[village.id(name)]
        told = village.told(name)
        sums = Counter(fact["type"] for fact in told)
        assert sums["points.posted.v1"] - sums["points.reversed.v1"] == standing[village.id(name)]
    assert points.sql("SELECT count(*) AS n FROM held_event WHERE state = 'deferred'")[0]["n"] == 0


def test_broken_message_does_not_harm_its_neighbours(village, points):
    case_no = village.a_case()
    broken = village.closed(case_no, ("m1", "handler"))
    broken.data.pop("closing")
    village.tell(broken, village.closed(case_no, ("m2", "handler")))
    assert village.award("m2") == 2
    (held,) = points.sql("SELECT state, errors FROM held_event WHERE event_id = %s", broken.id)
    assert held["state"] == "quarantined"
    assert [error["field"] for error in held["errors"]] == ["data.closing"]
