"""The people of a site pack as a demo lets them act: who holds which role where, each with a token of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from wangge.cli import packs
from wangge.cli.api import Api
from wangge.cli.errors import CommandFailed
from wangge.cli.local import Addresses
from wangge.cli.token import sign
from wangge.contracts.areas import Area


class Cast:
    """The people of a pack, each with a token for what they are."""

    def __init__(self, pack: packs.Pack, addresses: Addresses) -> None:
        intake = pack.parts["intake"].value
        self._area = pack.area
        self._people: dict[str, dict[str, Any]] = {row["person_id"]: row for row in intake["people"]}
        self._units = {row["unit_id"]: row["name"] for row in intake["units"]}
        self._grids = {row["area"]: row["name"] for row in intake["grids"]}
        self._vouched = {row["login"] for row in intake["publishers"] if row.get("user_id_required", True)}
        self._addresses = addresses
        self._apis: dict[str, Api] = {}

    def name(self, person: str) -> str:
        """The person's name with their unit's, as the demo shows it."""
        row = self._people.get(person)
        if row is None:
            return person
        unit = self._units.get(row.get("unit", ""))
        return f"{row['name']}（{unit}）" if unit else str(row["name"])

    def unit(self, unit: str | None) -> str:
        """The unit's name."""
        return str(self._units.get(unit or "", unit or ""))

    def area(self, code: str) -> str:
        """The name of a grid; the code of any other place."""
        return str(self._grids.get(code, code))

    def recipient(self, ref: str) -> str:
        """The name of who a notice goes to."""
        kind, _, key = ref.partition(":")
        return {"person": self.name, "unit": self.unit}.get(kind, str)(key if kind != "publisher" else ref)

    def unit_of(self, person: str) -> str | None:
        """The unit that the person works for."""
        row = self._people.get(person, {})
        return row.get("unit")

    def must_be_vouched_for(self, login: str) -> bool:
        """Whether the publisher must set the user_id that the broker checks."""
        return login in self._vouched

    def find(
        self, roles: Iterable[str], unit: str | None = None, area: str | None = None, but: str = ""
    ) -> str | None:
        """The first person in one of these roles (in this order): of the unit, near the area, not `but`'s unit."""
        for wanted in roles:
            for person, row in self._people.items():
                if but and but in (person, row.get("unit")):
                    continue
                if any(self._fits(role, wanted, unit, area) for role in row["roles"]):
                    return person
        return None

    def _fits(self, role: Mapping[str, Any], wanted: str, unit: str | None, area: str | None) -> bool:
        if role["role"] != wanted or (unit and role.get("unit") != unit):
            return False
        place = role.get("area") or self._area
        return area is None or Area.parse(place).contains(Area.parse(area))

    def api(self, person: str) -> Api:
        """The services as this person reaches them.

        Raises:
            CommandFailed: the pack has no such person.
        """
        if person not in self._people:
            raise CommandFailed(f"The pack has no person {person}.")
        if person not in self._apis:
            row = self._people[person]
            roles = [role["role"] for role in row["roles"]]
            areas = sorted({role.get("area") or self._area for role in row["roles"]} or {self._area})
            token = sign(Path(self._addresses.keys_dir), person, roles, areas, row.get("unit"))
            self._apis[person] = Api(self._addresses, token)
        return self._apis[person]
