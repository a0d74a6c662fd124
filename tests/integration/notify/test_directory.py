"""Notify's copy of the directory: facts may come in any order."""

from kit.waiting import eventually


def told_people(town):
    return sorted(message["recipient"] for message in town.told(town.dispatched()))


def settle(town, *facts):
    for fact in facts:
        eventually(lambda fact=fact: town.notify.has_settled(fact))


def test_role_that_ended_is_not_revived_by_older_news(town):
    town.apply()
    settle(town, town.role("contact", "unit_contact", unit="power", sequence=3, status="ended"))
    settle(town, town.role("contact", "unit_contact", unit="power", sequence=2))
    settle(town, town.role("head", "unit_head", unit="power"))
    assert told_people(town) == [f"person:{town.id('head')}"]


def test_role_that_is_given_again_counts(town):
    town.apply()
    settle(town, town.role("contact", "unit_contact", unit="power", sequence=2, status="ended"))
    settle(town, town.role("contact", "unit_contact", unit="power", sequence=3))
    assert told_people(town) == [f"person:{town.id('contact')}"]


def test_person_who_left_is_told_nothing_though_a_role_still_stands(town):
    town.apply()
    settle(
        town,
        town.role("contact", "unit_contact", unit="power"),
        town.role("head", "unit_head", unit="power"),
        town.person("head", "power", sequence=2, status="ended"),
        town.person("head", "power", sequence=1),
    )
    assert told_people(town) == [f"person:{town.id('contact')}"]


def test_unit_without_contact_or_head_is_told_through_everybody_who_works_there(town):
    town.apply()
    settle(town, town.person("driver", "power"), town.person("clerk", "power"))
    assert told_people(town) == [f"person:{town.id('clerk')}", f"person:{town.id('driver')}"]


def test_leader_of_the_whole_street_is_told_of_its_grids_and_leaders_of_other_grids_are_not(town):
    town.apply()
    settle(
        town,
        town.role("contact", "unit_contact", unit="power"),
        town.role("street", "grid_leader", area=town.area),
        town.role("other", "grid_leader", area=f"{town.area}00200"),
    )
    assert told_people(town) == [f"person:{town.id('contact')}", f"person:{town.id('street')}"]


def test_newest_name_of_a_unit_is_the_one_in_the_texts(town):
    town.apply()
    unit = {"unit_id": town.id("power"), "kind": "utility", "area": town.area, "status": "active"}
    publish = town.notify.publish
    settle(town, publish("unit.changed.v1", {**unit, "name": "新供电所"}, sequence=2))
    settle(town, publish("unit.changed.v1", {**unit, "name": "旧供电所"}, sequence=1))
    (message,) = town.told(town.dispatched())
    assert "新供电所" in message["text"]
