"""Applies a site pack: compares each noun with what is known, writes and tells what differs, ends what is missing."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from services.intake.categories import store as categories
from services.intake.categories.schemas import categories_of
from services.intake.grids import store as grids
from services.intake.grids.ground import wrong_boundaries
from services.intake.grids.model import Grid, retired, reused
from services.intake.grids.schemas import grids_of
from services.intake.people import store as people
from services.intake.people.model import RoleAssignment, role_changes
from services.intake.people.model import ended as person_ended
from services.intake.people.schemas import contacts_of, people_of, roles_of
from services.intake.publishers import store as publishers
from services.intake.publishers.model import ended as publisher_ended
from services.intake.publishers.schemas import publishers_of
from services.intake.sites import store as sites
from services.intake.sites.model import Site, changes
from services.intake.sites.schemas import site_of
from services.intake.units import store as units
from services.intake.units.model import ended as unit_ended
from services.intake.units.schemas import units_of
from wangge.chassis.errors import FieldError, invalid
from wangge.chassis.transaction import Transaction

Part = Mapping[str, Any]


def apply(tx: Transaction, part: Part) -> dict[str, int]:
    """Make the directory what the part says; answers how many things of each noun changed.

    The caller holds `sites.lock`. Raises `Invalid` with every wrong field.
    """
    site = site_of(part)
    before = sites.find(tx, site.site)
    if before and before.revision == site.revision:
        return dict.fromkeys(("settings", "units", "grids", "people", "roles", "publishers", "categories"), 0)
    _refuse_wrong(tx, part, before)
    sites.put(tx, site)
    changed = {
        "settings": int(before is None or replace(before, revision=site.revision) != site),
        "units": _units(tx, part),
        "grids": _grids(tx, part),
        "people": _people(tx, part),
        "roles": _roles(tx, part),
        "publishers": _publishers(tx, part),
        "categories": _categories(tx, part),
    }
    sites.changed(tx)
    return changed


def _refuse_wrong(tx: Transaction, part: Part, before: Site | None) -> None:
    errors = [
        *_wrong_site(tx, part, before),
        *_owned_elsewhere("units", "unit_id", part, units.owners(tx, units_of(part).keys())),
        *_owned_elsewhere("people", "person_id", part, people.owners(tx, people_of(part).keys())),
        *_wrong_publishers(tx, part),
        *_wrong_grids(tx, part),
    ]
    if errors:
        raise invalid(errors)


def _wrong_site(tx: Transaction, part: Part, before: Site | None) -> list[FieldError]:
    if before and before.area != part["area"]:
        return [{"field": "area", "message": f"{before.site} is {before.area}; a site keeps its community"}]
    owner = sites.owner_of(tx, part["area"])
    if owner and owner != part["site"]:
        return [{"field": "area", "message": f"{part['area']} is the community of the site {owner}"}]
    return []


def _owned_elsewhere(noun: str, key: str, part: Part, owners: Mapping[str, str]) -> list[FieldError]:
    return [
        {"field": f"{noun}.{i}.{key}", "message": f"{row[key]} belongs to the site {owners[row[key]]}"}
        for i, row in enumerate(part[noun])
        if owners.get(row[key], part["site"]) != part["site"]
    ]


def _wrong_publishers(tx: Transaction, part: Part) -> list[FieldError]:
    errors: list[FieldError] = []
    rows = part["publishers"]
    logins, sources = [row["login"] for row in rows], [row["source"] for row in rows]
    others = publishers.of_others(tx, part["site"], logins, sources) if rows else []
    for i, row in enumerate(rows):
        if row["source"] in sources[:i]:
            errors.append({"field": f"publishers.{i}.source", "message": f"{row['source']} is listed twice"})
        for other in others:
            for field in ("login", "source"):
                if getattr(other, field) == row[field]:
                    message = f"{row[field]} belongs to {other.login} of the site {other.site}"
                    errors.append({"field": f"publishers.{i}.{field}", "message": message})
    return errors


def _wrong_grids(tx: Transaction, part: Part) -> list[FieldError]:
    listed = grids_of(part)
    position = {area: i for i, area in enumerate(listed)}
    again = reused(grids.of_site(tx, part["site"]), listed)
    crooked = wrong_boundaries(listed.values())
    return [
        *(
            {"field": f"grids.{position[area]}.area", "message": f"{area} was retired; take a new code"}
            for area in again
        ),
        *(
            {"field": f"grids.{position[area]}.boundary", "message": message}
            for area, message in crooked.items()
        ),
    ]


def _units(tx: Transaction, part: Part) -> int:
    changed = changes(units.of_site(tx, part["site"]), units_of(part), unit_ended)
    units.put(tx, changed)
    for unit in changed:
        fact = {
            "unit_id": unit.unit_id,
            "name": unit.name,
            "kind": unit.kind,
            "area": unit.area,
            "duties": unit.duties,
            "status": unit.status,
        }
        tx.record("unit.changed.v1", fact)
    return len(changed)


def _grids(tx: Transaction, part: Part) -> int:
    changed: list[Grid] = changes(grids.of_site(tx, part["site"]), grids_of(part), retired)
    grids.put(tx, changed)
    for grid in changed:
        fact = {
            "area": grid.area,
            "name": grid.name,
            "kind": grid.kind,
            "status": grid.status,
            "households": grid.households,
        }
        tx.record("grid.changed.v1", fact)
    return len(changed)


def _people(tx: Transaction, part: Part) -> int:
    """Names and numbers change silently: the bus does not carry them."""
    changed = changes(people.of_site(tx, part["site"]), people_of(part), person_ended)
    people.put(tx, changed)
    known = people.contacts_of_site(tx, part["site"])
    renamed = {id_: contact for id_, contact in contacts_of(part).items() if known.get(id_) != contact}
    people.put_contacts(tx, part["site"], renamed)
    for person in changed:
        fact = {
            "person_id": person.person_id,
            "area": person.area,
            "unit_id": person.unit_id,
            "status": person.status,
        }
        tx.record("person.changed.v1", fact)
    return len({person.person_id for person in changed} | renamed.keys())


def _roles(tx: Transaction, part: Part) -> int:
    given_up, taken_up = role_changes(people.roles_of_site(tx, part["site"]), roles_of(part))
    people.put_roles(tx, part["site"], given_up, taken_up)
    for role, status in [(role, "ended") for role in given_up] + [(role, "active") for role in taken_up]:
        tx.record("role.changed.v1", _role_fact(role, status))
    return len(given_up) + len(taken_up)


def _role_fact(role: RoleAssignment, status: str) -> dict[str, Any]:
    return {
        "person_id": role.person_id,
        "role": role.role,
        "area": role.area,
        "unit_id": role.unit_id,
        "status": status,
    }


def _publishers(tx: Transaction, part: Part) -> int:
    changed = changes(publishers.of_site(tx, part["site"]), publishers_of(part), publisher_ended)
    publishers.put(tx, changed)
    return len(changed)


def _categories(tx: Transaction, part: Part) -> int:
    before, after = categories.of_site(tx, part["site"]), categories_of(part)
    changed = [category for code, category in after.items() if before.get(code) != category]
    gone = before.keys() - after.keys()
    categories.put(tx, changed)
    categories.remove(tx, part["site"], gone)
    return len(changed) + len(gone)
