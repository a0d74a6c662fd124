"""The directory comes with the site pack; others learn of it by events."""

import pytest

from wangge.contracts.sites import with_revision


def told(town, fact, key):
    """Facts of this town, as (who, status)."""
    events = town.world.facts(fact)
    return [
        (event["data"][key], event["data"]["status"])
        for event in events
        if str(event["data"][key]).startswith((town.key, town.area))
    ]


def test_a_new_site_is_written_and_told_once(empty_town):
    town = empty_town
    changed = town.apply()
    assert changed == {
        "settings": 1,
        "units": 2,
        "grids": 2,
        "people": 2,
        "roles": 2,
        "publishers": 2,
        "categories": 4,
    }
    assert told(town, "unit.changed.v1", "unit_id") == [
        (f"{town.key}-power", "active"),
        (f"{town.key}-home", "active"),
    ]
    assert told(town, "grid.changed.v1", "area") == [(town.yard, "active"), (town.market, "active")]
    assert told(town, "person.changed.v1", "person_id") == [
        (town.worker, "active"),
        (f"{town.key}-staff", "active"),
    ]
    assert sorted(told(town, "role.changed.v1", "person_id")) == [
        (f"{town.key}-staff", "active"),
        (town.worker, "active"),
    ]

    assert not any(town.apply().values())
    assert len(told(town, "unit.changed.v1", "unit_id")) == 2


def test_only_what_differs_is_told_and_what_is_missing_is_ended(town):
    people = town.part()["people"]
    people[0] = {**people[0], "phone": "19900000999"}
    people[1] = {**people[1], "roles": [{"role": "intake_operator"}]}
    changed = town.apply(units=town.part()["units"][:1], grids=town.part()["grids"][:1], people=people)
    assert {noun: count for noun, count in changed.items() if count} == {
        "units": 1,
        "grids": 1,
        "people": 1,
        "roles": 2,
    }
    assert told(town, "unit.changed.v1", "unit_id")[2:] == [(f"{town.key}-home", "ended")]
    assert told(town, "grid.changed.v1", "area")[2:] == [(town.market, "retired")]
    assert len(told(town, "person.changed.v1", "person_id")) == 2  # a new number is nobody else's business
    assert told(town, "role.changed.v1", "person_id")[2:] == [
        (f"{town.key}-staff", "ended"),
        (f"{town.key}-staff", "active"),
    ]


def test_no_name_and_no_number_of_the_directory_is_on_the_bus(town):
    bodies = [row["body"] for row in town.world.sql("SELECT body FROM outbox")]
    assert not [body for body in bodies if "何一" in body or "19900000111" in body]


def test_a_person_who_leaves_is_ended_with_the_roles_and_the_name_is_erased(town):
    town.apply(people=town.part()["people"][1:])
    assert told(town, "person.changed.v1", "person_id")[2:] == [(town.worker, "ended")]
    assert told(town, "role.changed.v1", "person_id")[2:] == [(town.worker, "ended")]
    assert town.world.sql("SELECT * FROM person_contacts WHERE person_id = %s", town.worker) == []


def test_a_retired_grid_is_never_used_again(town):
    town.apply(grids=town.part()["grids"][:1])
    answer = town.put(town.part(name="again"))
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["grids.1.area"]
    assert "retired" in answer.json()["errors"][0]["message"]


def test_grids_that_overlap_and_things_of_other_sites_are_all_named_at_once(town, intake):
    other = type(town)(intake)
    part = other.part(
        units=[*other.part()["units"], town.part()["units"][0]],
        people=[town.part()["people"][1]],
        grids=[other.part()["grids"][0], other.grid(other.market, "叠", 0.001, [])],
        publishers=[{**other.part()["publishers"][0], "source": town.source(town.login)}],
    )
    answer = other.put(part)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {
        "units.2.unit_id",
        "people.0.person_id",
        "grids.1.boundary",
        "publishers.0.source",
    }
    assert town.world.sql("SELECT 1 FROM sites WHERE site = %s", f"{other.key}-site") == []


def test_half_a_part_and_a_part_at_another_address_are_refused(town, intake):
    torn = {**town.part(), "default_category": "C0137"}
    assert town.put(torn).json()["errors"][0]["field"] == "revision"
    moved = intake.call("PUT", "/v1/sites/elsewhere", town.admin, town.part())
    assert moved.json()["errors"][0]["field"] == "site"


@pytest.mark.parametrize(
    ("roles", "areas", "status"), [(["dispatcher"], "140802", 403), (["admin"], "11", 403)]
)
def test_only_an_admin_of_the_area_applies_a_site(town, intake, roles, areas, status):
    token = intake.token("x", *roles, areas=(areas,))
    assert intake.call("PUT", f"/v1/sites/{town.key}-site", token, town.part()).status_code == status


def test_everybody_lists_units_and_grids_of_their_areas_page_by_page(town, intake):
    token = intake.token("w", "grid_worker", areas=(town.area,))
    first = intake.call("GET", "/v1/grids?limit=1", token).json()
    assert [grid["area"] for grid in first["items"]] == [town.yard]
    rest = intake.call("GET", f"/v1/grids?limit=1&cursor={first['next_cursor']}", token).json()
    assert [grid["area"] for grid in rest["items"]] == [town.market]
    assert rest["next_cursor"] is None
    units = intake.call("GET", "/v1/units", token).json()["items"]
    assert [unit["unit_id"] for unit in units] == [f"{town.key}-home"]  # the county's unit is outside
    assert intake.call("GET", "/v1/grids", intake.token("w", areas=("11",))).json()["items"] == []


def test_names_are_shown_to_those_whose_work_needs_them(town, intake):
    def names(role):
        people = intake.call("GET", "/v1/people", intake.token("x", role, areas=(town.area,))).json()["items"]
        assert [person["person_id"] for person in people] == [f"{town.key}-staff", town.worker]
        return [person.get("name") for person in people]

    assert names("intake_operator") == ["吴二", "何一"]
    assert names("grid_worker") == [None, None]
    assert names("admin") == ["吴二", "何一"]


def test_publishers_are_listed_without_their_keys(town, intake):
    items = intake.call("GET", "/v1/publishers?limit=200", town.admin).json()["items"]
    found = next(item for item in items if item["login"] == town.login)
    assert found["has_api_key"] is True
    assert "sha256" not in str(found)
    assert intake.call("GET", "/v1/publishers", town.staff).status_code == 403


def test_categories_are_listed_by_site(town, intake):
    items = intake.call("GET", f"/v1/categories?site={town.key}-site", town.staff).json()["items"]
    assert [item["code"] for item in items] == ["C0137", "E0110", "E0596", "G0201"]


def test_a_publisher_that_is_no_longer_listed_may_not_send_and_another_may_take_its_source(town):
    successor = {**town.publisher(f"{town.key}-next", ["hotline_12345"]), "source": town.source(town.login)}
    town.apply(publishers=[successor])
    assert town.post(headers=town.keyed(town.login)).status_code == 401
    assert town.post(headers=town.keyed(f"{town.key}-next")).status_code == 201


def test_a_changed_directory_is_used_by_the_next_report(town):
    assert town.reported(text="井盖响")["category"] == "G0201"
    categories = town.part()["categories"]
    part = town.part(categories=[*categories, {"code": "C0101", "name": "井盖", "keywords": ["井盖"]}])
    assert town.put(with_revision(part)).status_code == 200
    assert town.reported(text="井盖响")["category"] == "C0101"
