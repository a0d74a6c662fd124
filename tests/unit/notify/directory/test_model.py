"""Who speaks for a unit, who holds a role over a place."""

from services.notify.directory.model import Holders, Role, Spokespeople, answer

AREA, GRID = "140802002901", "14080200290100300"
ROLES = [
    Role("contact", "unit_contact", AREA, "power"),
    Role("head", "unit_head", AREA, "power"),
    Role("head", "unit_contact", AREA, "power"),
    Role("other", "unit_contact", AREA, "water"),
    Role("leader", "grid_leader", GRID, None),
    Role("street", "grid_leader", "140802002", None),
    Role("secretary", "community_secretary", AREA, None),
]


def test_unit_is_told_through_its_contacts_and_its_head_each_once():
    assert answer(Spokespeople("power"), ROLES, {"power": ["driver"]}) == ("person:contact", "person:head")


def test_unit_without_them_is_told_through_everybody_who_works_there():
    assert answer(Spokespeople("gas"), ROLES, {"gas": ["b", "a"]}) == ("person:a", "person:b")


def test_unit_where_nobody_is_known_is_told_itself():
    assert answer(Spokespeople("gas"), ROLES, {}) == ("unit:gas",)


def test_role_over_a_place_is_held_there_or_above():
    assert answer(Holders("grid_leader", (GRID, AREA, "140802002")), ROLES, {}) == (
        "person:leader",
        "person:street",
    )


def test_role_that_nobody_holds_there_is_nobody():
    assert answer(Holders("grid_leader", ("14080200290100400",)), ROLES, {}) == ()
