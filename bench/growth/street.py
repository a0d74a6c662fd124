"""Makes the site packs of a street: nine communities with nineteen grids each, after one pack of `sites/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wangge.cli import packs
from wangge.contracts.sites import PARTS, with_revision

MODEL = Path(__file__).parents[2] / "sites" / "hexixijie"
STREET = "140802002"
COMMUNITIES = 9
GRIDS = 19

#: Party members of a community besides those of the model pack.
MEMBERS = 120

#: Degrees of the side of a grid's square, and of the room that a community takes.
SIDE, ROOM = 0.004, 0.03


def community(number: int) -> str:
    """The code of the `number`-th community (1, 2, …)."""
    return f"{STREET}{number:03d}"


def grid(number: int, place: int) -> str:
    """The code of the `place`-th grid (1, 2, …) of a community."""
    return f"{community(number)}{place:03d}00"


def corner(number: int, place: int) -> tuple[float, float]:
    """Longitude and latitude of a grid's south-western corner: five grids in a row."""
    row, column = divmod(place - 1, 5)
    return 110.9 + ROOM * number + SIDE * column, 35.0 + SIDE * row


def parts(number: int, with_publishers: bool = True) -> dict[str, dict[str, Any]]:
    """What each service gets for the `number`-th community."""
    pack = packs.read(MODEL)
    made = {name: _moved(pack.part(name), pack, number) for name in PARTS}
    made["intake"] |= {
        "grids": _grids(number),
        "centre": dict(zip(("lng", "lat"), corner(number, 1), strict=True)),
    }
    if number > 1 or not with_publishers:  # a publisher belongs to one site
        made["intake"]["publishers"] = []
    for item in made["points"]["rule_set"]["items"]:
        if item["code"] == "A4":  # so that there is a table of entries to speak of
            item["auto"]["categories"].append("E0110")
    made["points"]["members"] += [
        {"person_id": f"g{number}-member-{each}", "org": "党支部", "status": "formal"}
        for each in range(1, MEMBERS + 1)
    ]
    return {name: with_revision(part) for name, part in made.items()}


def _moved(part: dict[str, Any], pack: packs.Pack, number: int) -> dict[str, Any]:
    """The part with the community's code and ids of its own: people and units are called g<number>-… there."""
    text = json.dumps(part, ensure_ascii=False, default=str)
    for before, after in (
        (pack.area, community(number)),
        ("hx-", f"g{number}-"),
        (pack.site, f"growth-{number}"),
    ):
        text = text.replace(before, after)
    moved: dict[str, Any] = json.loads(text)
    for row in moved.get("publishers", ()):
        row["areas"] = [STREET]
    return moved


def _grids(number: int) -> list[dict[str, Any]]:
    # 601: the model's dedicated grid, where one of its people works
    return [_grid(number, place, grid(number, place)) for place in range(1, GRIDS)] + [
        _grid(number, GRIDS, f"{community(number)}60100")
    ]


def _grid(number: int, place: int, code: str) -> dict[str, Any]:
    west, south = corner(number, place)
    east, north = west + SIDE, south + SIDE
    return {
        "area": code,
        "name": f"第{place}网格",
        "kind": "dedicated" if code[12] == "6" else "base",
        "boundary": [[west, south], [east, south], [east, north], [west, north]],
        "address_keywords": [],
    }
