"""Periods: which one an entry counts in, and what happens once one is closed."""

import pytest

OCTOBER = "2025-10-08T09:00:00+08:00"


@pytest.fixture
def closed_quarter(village, points):
    """It is October; the third quarter, with an award of m1 and m2 from one case each, is closed."""
    village.cases = {name: village.a_case() for name in ("m1", "m2")}
    village.tell(*(village.closed(case_no, (name, "handler")) for name, case_no in village.cases.items()))
    points.clock(set=OCTOBER)
    answer = close(village)
    assert (answer.status_code, answer.json()["state"]) == (200, "closing")
    return village


def close(village, period="2025Q3", token=None):
    return village.points.call("POST", f"/v1/periods/{period}/close", token or village.secretary)


def test_period_is_open_until_it_is_closed_and_is_closed_once(village, points):
    shown = points.get("/v1/periods/2025Q3", village.secretary)
    assert {name: shown[name] for name in ("state", "kind", "first_on", "last_on")} == {
        "state": "open",
        "kind": "quarter",
        "first_on": "2025-07-01",
        "last_on": "2025-09-30",
    }
    early = close(village)
    assert (early.status_code, early.json()["code"]) == (409, "period.running")
    points.clock(set=OCTOBER)
    in_a_grid = points.token("x", "points_reviewer", areas=(village.grid,))
    for token in (village.clerk, in_a_grid):
        assert close(village, token=token).status_code == 403
    assert close(village).json()["closed_at"] == "2025-10-08T01:00:00+00:00"
    again = close(village)
    assert (again.status_code, again.json()["code"]) == (409, "period.move_forbidden")


def test_entry_of_a_closed_period_counts_in_the_next_one_with_a_note(closed_quarter):
    posted = closed_quarter.post("m1", "B6", occurred_on="2025-09-30", note="补记")
    assert (posted["period"], posted["note"]) == ("2025Q4", "补记；2025Q3 已关闭，计入 2025Q4")
    closed_quarter.tell(closed_quarter.closed(closed_quarter.a_case(), ("m1", "handler")))
    assert closed_quarter.entries("m1")[0]["note"] == "2025Q3 已关闭，计入 2025Q4"
    assert closed_quarter.member("m1", period="2025Q3")["evaluation"]["total"] == 2
    assert closed_quarter.member("m1")["evaluation"]["total"] == 8
    assert closed_quarter.member("m1")["wallet"] == 10


def test_what_a_closed_period_counted_is_taken_back_from_the_next_one(closed_quarter):
    closed_quarter.post("m1", "B6", occurred_on="2025-10-08")
    closed_quarter.tell(closed_quarter.reopened(closed_quarter.cases["m1"]))
    assert closed_quarter.member("m1", period="2025Q3")["evaluation"]["award"] == 2
    assert closed_quarter.member("m1")["evaluation"] == {
        "base": 6,
        "award": -2,
        "penalty": 0,
        "total": 4,
        "band": "blue",
    }
    assert closed_quarter.member("m1")["wallet"] == 6
    fact = closed_quarter.told("m1")[-1]
    assert (fact["type"], fact["period"], fact["value"]) == ("points.reversed.v1", "2025Q4", "2.00")


def test_sites_that_count_by_month_have_months(new_village):
    new_village.apply(period_kind="month")
    new_village.tell(new_village.closed(new_village.a_case(), ("m1", "handler")))
    assert (new_village.member("m1")["period"], new_village.award("m1")) == ("2025-09", 2)
