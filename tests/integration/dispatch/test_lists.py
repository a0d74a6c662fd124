"""What is found: filters, pages, scope; the catalogue, the calculator of deadlines, and the site's part."""

from datetime import datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

COMMUNITY = "140802002907"
GRID = "14080200290700100"
MICRO = "14080200290700104"
OTHER_GRID = "14080200290700200"


def numbers(page: dict) -> list[str]:
    return [case["case_no"] for case in page["items"]]


@pytest.fixture(scope="module")
def filed(dispatch, intake):
    """Cases in two grids and a micro-grid, of two leads, in the order of filing."""
    wanted = [
        {"area": GRID, "category": "E0596"},
        {"area": MICRO, "category": "E0596"},
        {"area": OTHER_GRID, "category": "E0596"},
        {"area": OTHER_GRID, "category": "E0110", "urgency": "none"},
        {"area": GRID, "category": "G0301", "urgency": "none"},
    ]
    return [dispatch.case_of(intake.accept(**each)) for each in wanted]


def found(dispatch, filed, **query) -> set[int]:
    """Which of the filed cases a query finds, by position, through all pages."""
    cursor, seen = None, []
    while True:
        page = dispatch.get("/v1/cases", params=query | {"limit": 7} | ({"cursor": cursor} if cursor else {}))
        seen += numbers(page)
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    return {place for place, case in enumerate(filed) if case["case_no"] in seen}


def test_filters_find_what_they_name(dispatch, filed):
    assert found(dispatch, filed) == {0, 1, 2, 3, 4}
    assert found(dispatch, filed, area=GRID) == {0, 1, 4}
    assert found(dispatch, filed, area=GRID[:15]) == {0, 1, 4}
    assert found(dispatch, filed, area=MICRO) == {1}
    assert found(dispatch, filed, area=OTHER_GRID) == {2, 3}
    assert found(dispatch, filed, area="140802") == {0, 1, 2, 3, 4}
    assert found(dispatch, filed, area="140105") == set()
    assert found(dispatch, filed, lead="cleaning") == {3}
    assert found(dispatch, filed, state="filed") == {4}
    assert found(dispatch, filed, lead="power", area=OTHER_GRID, state="dispatched") == {2}
    assert found(dispatch, filed, report_code=filed[2]["report_code"]) == {2}
    due = filed[1]["deadline"]
    assert 1 not in found(dispatch, filed, due_before=due)
    assert 0 in found(dispatch, filed, due_before=due)


def test_pages_are_stable_while_new_cases_come(dispatch, intake, filed):
    first = dispatch.get("/v1/cases", params={"limit": 2})
    intake_more = dispatch.case_of(intake.accept())["case_no"]
    second = dispatch.get("/v1/cases", params={"limit": 2, "cursor": first["next_cursor"]})
    both = numbers(first) + numbers(second)
    assert intake_more not in both
    assert len(set(both)) == 4
    times = [datetime.fromisoformat(case["filed_at"]) for case in first["items"] + second["items"]]
    assert times == sorted(times, reverse=True)


def test_scope_is_the_areas_of_the_token_and_the_cases_of_its_unit(dispatch, filed):
    def seen(**token) -> set[int]:
        page = dispatch.get(
            "/v1/cases", params={"limit": 200}, token=dispatch.token("x", ["auditor"], **token)
        )
        return {place for place, case in enumerate(filed) if case["case_no"] in numbers(page)}

    assert seen(areas=(GRID,)) == {0, 1, 4}
    assert seen(areas=(MICRO,)) == {1}
    assert seen(areas=(), unit="cleaning") == {3}
    assert seen(areas=(), unit="estate") == {0, 1, 2}  # it assists
    assert seen(areas=(MICRO,), unit="cleaning") == {1, 3}
    assert seen(areas=(), unit="police") == {4}  # it may claim
    assert seen(areas=(), unit="street") == set()


def test_every_wrong_filter_is_named(dispatch):
    query = {
        "state": "lost",
        "area": "12345",
        "lead": "no unit",
        "due_before": "soon",
        "limit": 0,
        "colour": "red",
    }
    answer = dispatch.call("GET", "/v1/cases", params=query | {"report_code": "x"})
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {*query, "report_code"}


@pytest.mark.parametrize("cursor", ["!", "bm9ub25l", "WzEsMl0", "WyJ4IiwgInkiXQ"])
def test_cursor_of_another_list_is_refused(dispatch, cursor):
    answer = dispatch.call("GET", "/v1/cases", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")


def test_history_is_cut_into_pages(dispatch, filed):
    path = f"/v1/cases/{filed[0]['case_no']}/history"
    first = dispatch.get(path, params={"limit": 1})
    second = dispatch.get(path, params={"limit": 1, "cursor": first["next_cursor"]})
    assert [line["seq"] for line in first["items"] + second["items"]] == [1, 2]
    assert second["next_cursor"] is None


def test_history_cannot_be_rewritten(dispatch, filed):
    with dispatch.engine.connect() as connection, pytest.raises(DBAPIError, match="only appended"):
        connection.execute(text("UPDATE flow_records SET opinion = '' WHERE seq = 1"))


def test_catalogue_is_listed_in_pages(dispatch):
    first = dispatch.get("/v1/categories", params={"site": "dongli", "limit": 3})
    rest = dispatch.get(
        "/v1/categories", params={"site": "dongli", "limit": 3, "cursor": first["next_cursor"]}
    )
    rows = first["items"] + rest["items"]
    assert [row["code"] for row in rows] == ["E0110", "E0596", "G0201", "G0202", "G0301"]
    assert (rows[1]["limit"], rows[1]["assist"], rows[1]["clock_from"]) == (
        "2 urgent_hour",
        ["estate"],
        "report",
    )


@pytest.mark.parametrize(
    ("limit", "start", "due"),
    [
        ("2 urgent_hour", "2023-09-14T19:00:00+08:00", "2023-09-14T21:00:00+08:00"),
        ("3 work_day", "2025-12-08T10:00:00+08:00", "2025-12-11T10:00:00+08:00"),
        ("3 work_day", "2025-09-30T16:00:00+08:00", "2025-10-11T16:00:00+08:00"),
    ],
)
def test_deadline_is_computed_for_anybody_who_asks(dispatch, limit, start, due):
    for site in ({}, {"site": "dongli"}):
        answer = dispatch.get("/v1/deadline", params={"limit": limit, "from": start} | site)
        assert datetime.fromisoformat(answer["deadline"]) == datetime.fromisoformat(due)


def test_deadline_names_every_wrong_field_and_an_unknown_year(dispatch):
    answer = dispatch.call("GET", "/v1/deadline", params={"limit": "2 hours", "from": "2023-09-14T19:00:00"})
    assert {error["field"] for error in answer.json()["errors"]} == {"limit", "from"}
    late = {"limit": "3 work_day", "from": "2041-01-01T00:00:00Z"}
    assert dispatch.call("GET", "/v1/deadline", params=late).json()["code"] == "calendar.year_not_loaded"
    missing = late | {"from": "2023-01-03T10:00:00Z", "site": "nowhere"}
    assert dispatch.call("GET", "/v1/deadline", params=missing).status_code == 404


# The site's part


def test_same_part_again_changes_nothing_and_another_only_what_differs(dispatch):
    part = dispatch.a_part(site="nanli", area="140802002911", grid_leads={})
    first = dispatch.put_site(part).json()
    assert first["changed"] == {"sites": 1, "categories": 5}
    assert dispatch.put_site(part).json()["changed"] == {"sites": 0, "categories": 0}
    rows = [*part["categories"][1:], dispatch.a_category("E0502", limit="1 urgent_hour")]
    changed = dispatch.a_part(site="nanli", area="140802002911", grid_leads={}, categories=rows)
    assert dispatch.put_site(changed).json()["changed"] == {"sites": 0, "categories": 2}
    codes = [row["code"] for row in dispatch.get("/v1/categories", params={"site": "nanli"})["items"]]
    assert codes == ["E0110", "E0502", "G0201", "G0202", "G0301"]


def test_sites_own_days_slots_and_later_years_count(dispatch):
    calendar = {
        "day_mode": "calendar_end",
        "slots": [["09:00", "12:00"], ["13:00", "17:00"]],
        "off": ["2025-12-09"],
        "work": ["2025-12-13"],
        "last_year": 2040,
    }
    part = dispatch.a_part(site="beili", area="140802002912", grid_leads={}, calendar=calendar)
    assert dispatch.put_site(part).ok
    ask = {"site": "beili", "limit": "3 work_day", "from": "2025-12-08T10:00:00+08:00"}
    answer = dispatch.get("/v1/deadline", params=ask)
    assert answer["day_mode"] == "calendar_end"
    assert datetime.fromisoformat(answer["deadline"]) == datetime.fromisoformat("2025-12-12T17:00:00+08:00")
    later = dispatch.get("/v1/deadline", params=ask | {"from": "2039-12-05T10:00:00+08:00"})
    assert datetime.fromisoformat(later["deadline"]) == datetime.fromisoformat("2039-12-08T17:00:00+08:00")


def test_part_with_mistakes_is_refused_whole_with_every_mistake(dispatch):
    part = dispatch.a_part(site="wrong", area="140802002913", default_category="X1", colour="red")
    answer = dispatch.put_site(part)
    assert answer.status_code == 422
    fields = {error["field"] for error in answer.json()["errors"]}
    assert "colour" in fields
    tampered = dispatch.a_part(site="wrong", area="140802002913", grid_leads={}) | {"name": "改过"}
    assert dispatch.put_site(tampered).json()["errors"][0]["field"] == "revision"
    assert dispatch.get("/v1/categories", params={"site": "wrong"})["items"] == []


def test_site_is_applied_by_an_administrator_of_its_area_under_its_own_name(dispatch):
    part = dispatch.a_part()
    assert dispatch.put_site(part, token=dispatch.token("operator-1")).status_code == 403
    far = dispatch.token("admin-2", ["admin"], ("140105",))
    assert dispatch.put_site(part, token=far).json()["code"] == "area.outside"
    admin = dispatch.token("admin-1", ["admin"])
    assert dispatch.call("PUT", "/v1/sites/other", part, token=admin).status_code == 422
    twin = dispatch.a_part(site="twin")
    assert dispatch.put_site(twin).json()["code"] == "site.area_taken"
