"""The rules that a site pack must keep: each part's own, and those between the parts. Every mistake is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any

from shapely import Polygon
from shapely.validation import explain_validity

from wangge.cli.packs.located import Located, Mistake, Path_
from wangge.cli.packs.pack import Pack
from wangge.cli.packs.story import StorySchema
from wangge.contracts.areas import Area
from wangge.contracts.sites import PARTS, ROLES

#: Square degrees of common ground below which two grids only touch (about 0.1 square metre).
TOUCHING = 1e-11


def check(pack: Pack) -> tuple[list[Mistake], list[Mistake]]:
    """The mistakes of a pack and its warnings (vacant posts), in the order of files and lines."""
    wrong = {
        name: list(_wrong(pack.parts[name], part().validate(pack.part(name)))) for name, part in PARTS.items()
    }
    wrong["story"] = list(_wrong(pack.story, StorySchema().validate(pack.story.value)))
    sound = {name for name, mistakes in wrong.items() if not mistakes}
    between = [mistake for rule, needed in BETWEEN.items() if needed <= sound for mistake in rule(pack)]
    mistakes = {*pack.mistakes, *(each for found in wrong.values() for each in found), *between}
    return sorted(mistakes), sorted(_vacancies(pack)) if "intake" in sound else []


def _wrong(document: Located, errors: Any) -> Iterator[Mistake]:
    """Marshmallow's nested answer as mistakes with places."""
    for path, message in _flat(errors, ()):
        where = _where(document, path)
        said = ".".join(str(step) for step in where)
        yield document.mistake(f"{said}: {message}", *where)


def _where(document: Located, path: Path_) -> Path_:
    """The path without marshmallow's own steps; `key` and `value` may also be fields that are written down."""
    where: Path_ = ()
    for step in path:
        is_own = step == "_schema" or (step in ("key", "value") and (*where, step) not in document.places)
        where = where if is_own else (*where, step)
    return where


def _flat(errors: Any, path: Path_) -> Iterator[tuple[Path_, str]]:
    if isinstance(errors, Mapping):
        for step, inner in errors.items():
            yield from _flat(inner, (*path, step))
    else:
        for message in errors:
            if isinstance(message, Mapping):
                yield from _flat(message, path)
            else:
                yield path, str(message)


def _known(
    document: Located, what: str, known: Iterable[str], uses: Iterable[tuple[str | None, Path_]]
) -> Iterator[Mistake]:
    """A mistake for each use of something that does not exist."""
    known = set(known)
    for value, path in uses:
        if value is not None and value not in known:
            yield document.mistake(f"{'.'.join(map(str, path))}: there is no {what} {value}", *path)


def _dispatch(pack: Pack) -> Iterator[Mistake]:
    intake, dispatch = pack.parts["intake"], pack.parts["dispatch"]
    units = [unit["unit_id"] for unit in intake.value["units"]]
    grids = [grid["area"] for grid in intake.value["grids"]]
    sorted_as = [category["code"] for category in intake.value["categories"]]
    handled_as = [category["code"] for category in dispatch.value["categories"]]
    yield from _known(dispatch, "unit", units, _units_used(dispatch.value))
    leads = dispatch.value.get("grid_leads", {})
    yield from _known(dispatch, "grid", grids, [(grid, ("grid_leads", grid)) for grid in leads])
    yield from _known(
        intake,
        "category in dispatch.yaml",
        handled_as,
        [(code, ("categories", i, "code")) for i, code in enumerate(sorted_as)],
    )
    yield from _known(
        dispatch,
        "category in intake.yaml",
        sorted_as,
        [(code, ("categories", i, "code")) for i, code in enumerate(handled_as)],
    )


def _units_used(dispatch: Mapping[str, Any]) -> Iterator[tuple[str | None, Path_]]:
    yield dispatch["community_unit"], ("community_unit",)
    for grid, unit in dispatch.get("grid_leads", {}).items():
        yield unit, ("grid_leads", grid)
    for i, category in enumerate(dispatch["categories"]):
        yield category.get("lead"), ("categories", i, "lead")
        for listed in ("assist", "units_allowed"):
            for j, unit in enumerate(category.get(listed, [])):
                yield unit, ("categories", i, listed, j)


def _points(pack: Pack) -> Iterator[Mistake]:
    points = pack.parts["points"]
    grids = [grid["area"] for grid in pack.parts["intake"].value["grids"]]
    codes = [category["code"] for category in pack.parts["dispatch"].value["categories"]]
    members = points.value["members"]
    yield from _known(
        points, "grid", grids, [(each.get("grid"), ("members", i, "grid")) for i, each in enumerate(members)]
    )
    yield from _known(
        points,
        "category",
        codes,
        [
            (code, ("rule_set", "items", i, "auto", "categories", j))
            for i, item in enumerate(points.value["rule_set"]["items"])
            for j, code in enumerate((item.get("auto") or {}).get("categories", []))
        ],
    )


def _notify(pack: Pack) -> Iterator[Mistake]:
    intake, notify = pack.parts["intake"].value, pack.parts["notify"]
    refs = [
        *(f"person:{person['person_id']}" for person in intake["people"]),
        *(f"publisher:{publisher['login']}" for publisher in intake.get("publishers", [])),
        *(f"unit:{unit['unit_id']}" for unit in intake["units"]),
    ]
    uses = [(contact["ref"], ("contacts", i, "ref")) for i, contact in enumerate(notify.value["contacts"])]
    yield from _known(notify, "contact", refs, uses)


def _ground(pack: Pack) -> Iterator[Mistake]:
    """Boundaries are simple rings, grids of one kind do not overlap, micro-grids lie in their grid."""
    intake = pack.parts["intake"]
    ground: dict[str, tuple[int, Polygon]] = {}
    for i, grid in enumerate(intake.value["grids"]):
        shape = Polygon(grid["boundary"])
        if not shape.is_valid:
            yield intake.mistake(
                f"{grid['name']}: not a simple ring: {explain_validity(shape)}", "grids", i, "boundary"
            )
        elif grid.get("status", "active") == "active":
            ground[grid["area"]] = (i, shape)
    for (first, (_, one)), (second, (j, other)) in combinations(ground.items(), 2):
        if Area.parse(first).level is Area.parse(second).level and one.intersection(other).area > TOUCHING:
            yield intake.mistake(f"{second} overlaps {first}", "grids", j, "boundary")
    for code, (i, shape) in ground.items():
        parent = ground.get(f"{code[:15]}00")
        if parent and shape.difference(parent[1]).area > TOUCHING:
            yield intake.mistake(f"{code} is not inside {code[:15]}00", "grids", i, "boundary")


def _vacancies(pack: Pack) -> Iterator[Mistake]:
    intake = pack.parts["intake"]
    for i, grid in enumerate(intake.value["grids"]):
        area = Area.parse(grid["area"])
        held = Counter(
            role["role"]
            for person in intake.value["people"]
            for role in person["roles"]
            if role.get("area") and area.contains(Area.parse(role["area"]))
        )
        for role, least in grid.get("required_roles", {}).items():
            if held[role] < least:
                vacant = f"{grid['name']}: {least - held[role]} of {least} {role} ({ROLES[role]}) vacant"
                yield intake.mistake(vacant, "grids", i, "required_roles", role)


def _story(pack: Pack) -> Iterator[Mistake]:
    intake, story = pack.parts["intake"].value, pack.story
    incidents = story.value["incidents"]
    logins = [publisher["login"] for publisher in intake.get("publishers", [])]
    people = [person["person_id"] for person in intake["people"]]
    yield from _known(
        story,
        "publisher",
        logins,
        [(told.get("publisher"), ("incidents", name, "publisher")) for name, told in incidents.items()],
    )
    speakers = [(told.get("person"), ("incidents", name, "person")) for name, told in incidents.items()]
    actors = [(step.get("who"), ("steps", i, "who")) for i, step in enumerate(story.value.get("steps", []))]
    yield from _known(story, "person", people, [*speakers, *actors])


BETWEEN: dict[Callable[[Pack], Iterator[Mistake]], set[str]] = {
    _ground: {"intake"},
    _dispatch: {"intake", "dispatch"},
    _points: {"intake", "dispatch", "points"},
    _notify: {"intake", "notify"},
    _story: {"intake", "story"},
}
"""The rules that need whole parts, with the parts they look at."""
