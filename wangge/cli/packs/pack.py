"""Reads the folder of a site pack and cuts it into the parts that the services get.

area.yaml      site, name, area, centre, units, grids     -> intake, and the first three -> every part
people.csv     who is who, with roles and party branch     -> intake, points (members), notify (inboxes)
intake.yaml    publishers, words, what is not accepted     -> intake
dispatch.yaml  calendar, catalogue, leads, ladder          -> dispatch
points.yaml    rule set, period                            -> points
notify.yaml    contacts, templates, routes, quiet hours    -> notify
story.yaml     what the demo plays                         -> nobody's part
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wangge.cli.packs.located import Located, Mistake, Place, read_csv, read_yaml
from wangge.contracts.sites import with_revision

COMMON = ("site", "name", "area")
OF_AREA = (*COMMON, "centre", "units", "grids")
"""What area.yaml says; where one is missing, it is missing there."""
COLUMNS = (
    "person_id",
    "name",
    "phone",
    "mail",
    "unit",
    "party_org",
    "member_status",
    "grid",
    "roles",
)
"""Of people.csv. `party_org`: the branch of a party member; `member_status`: set for those who are scored here;
`roles`: `<role>[@<area>][/<unit>]`, several parted by spaces."""


@dataclass
class Pack:
    """A site pack as it was read. `mistakes` are those of reading; the rules' are found by `rules.check`."""

    directory: Path
    parts: dict[str, Located]
    story: Located
    mistakes: list[Mistake]

    @property
    def site(self) -> str:
        """The site's name, as its parts say it."""
        return str(self.parts["intake"].value.get("site", self.directory.name))

    @property
    def area(self) -> str:
        """The 12-digit code of the community."""
        return str(self.parts["intake"].value.get("area", ""))

    def part(self, service: str) -> dict[str, Any]:
        """What this service gets, with the revision of its contents."""
        return with_revision(self.parts[service].value)


def read(directory: Path) -> Pack:
    """The pack in this folder, with everything that could not be read named in its `mistakes`."""
    shown = {name: str(directory / name) for name in ("people.csv",)}
    files = {
        stem: read_yaml(directory / f"{stem}.yaml", str(directory / f"{stem}.yaml"))
        for stem in ("area", "intake", "dispatch", "points", "notify", "story")
    }
    people = read_csv(directory / "people.csv", shown["people.csv"], COLUMNS)
    mistakes = [mistake for file in (*files.values(), people) for mistake in file.mistakes]
    common = Located({name: files["area"].value.get(name) for name in COMMON}, files["area"].places)
    said = _joined(files["area"], files["intake"], mistakes)
    said.places.update({(name,): said.places.get((name,), files["area"].places[()]) for name in OF_AREA})
    intake = _joined(_people(people, mistakes), said, mistakes)
    parts = {
        "intake": intake,
        "dispatch": _joined(common, files["dispatch"], mistakes),
        "points": _joined(_members(people), _joined(common, files["points"], mistakes), mistakes),
        "notify": _joined(
            common, _reachable(files["notify"], intake, files["dispatch"], files["points"]), mistakes
        ),
    }
    return Pack(directory, parts, files["story"], mistakes)


def _joined(first: Located, second: Located, mistakes: list[Mistake]) -> Located:
    """Two mappings as one; a key of both is a mistake at its second place."""
    mistakes.extend(
        second.mistake(f"{name} is already said in {first.place((name,)).file}", name)
        for name in first.value.keys() & second.value.keys()
    )
    return Located({**second.value, **first.value}, {**second.places, **first.places, (): second.places[()]})


def _people(rows: Located, mistakes: list[Mistake]) -> Located:
    people: list[dict[str, Any]] = []
    places: dict[tuple[str | int, ...], Place] = {(): rows.places[()], ("people",): rows.places[()]}
    for i, row in enumerate(rows.value):
        places[("people", i)] = rows.places[(i,)]
        person = {key: row.get(key) for key in ("person_id", "name", "phone", "mail", "unit") if key in row}
        roles = [_role(text) for text in row.get("roles", "").split()]
        people.append({**person, "party_member": "party_org" in row, "roles": roles})
        if "member_status" in row and "party_org" not in row:
            mistakes.append(rows.mistake("has a member_status but no party_org", i))
    return Located({"people": people}, places)


def _role(text: str) -> dict[str, str]:
    named, _, unit = text.partition("/")
    role, _, area = named.partition("@")
    return {"role": role, **({"area": area} if area else {}), **({"unit": unit} if unit else {})}


def _members(rows: Located) -> Located:
    members: list[dict[str, Any]] = []
    places: dict[tuple[str | int, ...], Place] = {(): rows.places[()], ("members",): rows.places[()]}
    for i, row in enumerate(rows.value):
        if "member_status" in row:
            places[("members", len(members))] = rows.places[(i,)]
            member = {
                "person_id": row.get("person_id"),
                "org": row.get("party_org"),
                "status": row["member_status"],
            }
            members.append({**member, **({"grid": row["grid"]} if "grid" in row else {})})
    return Located({"members": members}, places)


def _reachable(notify: Located, intake: Located, dispatch: Located, points: Located) -> Located:
    """Notify's own file, and an inbox for everybody it does not name, and the names that its texts need."""
    contacts = list(notify.value.get("contacts") or [])
    places = dict(notify.places)
    named = {contact.get("ref") for contact in contacts if isinstance(contact, dict)}
    for listed, kind, key in (("people", "person", "person_id"), ("publishers", "publisher", "login")):
        for i, row in enumerate(_rows(intake.value, listed)):
            ref = f"{kind}:{row.get(key)}"
            if ref not in named:
                named.add(ref)
                places[("contacts", len(contacts))] = intake.place((listed, i))
                contacts.append({"ref": ref, "channels": [{"channel": "inbox"}]})
    rules = points.value.get("rule_set")
    names = {
        str(row[key]): str(row[said])
        for source, listed, key, said in (
            (rules if isinstance(rules, dict) else {}, "items", "code", "text"),
            (intake.value, "units", "unit_id", "name"),
            (intake.value, "grids", "area", "name"),
            (dispatch.value, "categories", "code", "name"),
        )
        for row in _rows(source, listed)
        if key in row and said in row
    }
    home = {str(intake.value["area"]): str(intake.value["name"])} if COMMON[1] in intake.value else {}
    value = {
        **notify.value,
        "contacts": contacts,
        "names": {**names, **home, **notify.value.get("names", {})},
    }
    return Located(value, places)


def _rows(value: dict[str, Any], listed: str) -> list[dict[str, Any]]:
    rows = value.get(listed)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
