"""What the parts of a site pack have in common: strictness, the revision, limits, codes, the answer.

A part is what one service gets by `PUT /v1/sites/{site}`: all of it or nothing. Unknown fields are refused, because
a typing mistake in a pack must be named and not ignored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from marshmallow import RAISE, Schema, ValidationError, fields, pre_load, validate, validates_schema

from wangge.contracts.fields import AreaField, matching, text

SITE = r"^[a-z][a-z0-9-]{1,39}$"
SHA256 = r"^[0-9a-f]{64}$"
LIMIT_CLASSES = ("urgent_minute", "urgent_hour", "work_hour", "work_day", "natural_day")
"""How time is counted (domain: limit classes): the urgent ones and natural days run day and night."""

LIMIT = rf"^[1-9][0-9]{{0,3}} ({'|'.join(LIMIT_CLASSES)})$"
TIME_OF_DAY = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
LEVELS = ("L1", "L2", "L3", "L4", "L5")
"""Unit or building, grid, community or village, street or town, district department."""


class Strict(Schema):
    """Base of every shape of a site pack: an unknown field is a mistake."""

    class Meta:
        unknown = RAISE


def revision_of(part: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over the canonical JSON of a part without its `revision`."""
    bare = {name: value for name, value in part.items() if name != "revision"}
    canonical = json.dumps(bare, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def with_revision(part: Mapping[str, Any]) -> dict[str, Any]:
    """The part with the revision that its contents have."""
    return {**part, "revision": revision_of(part)}


def limit(**kwargs: Any) -> fields.String:
    """A time limit such as `2 urgent_hour` or `15 work_day`."""
    wrong = f"not a limit: a number and one of {', '.join(LIMIT_CLASSES)}, for example `2 urgent_hour`"
    return fields.String(validate=validate.Regexp(LIMIT, error=wrong), **kwargs)


def time_of_day(**kwargs: Any) -> fields.String:
    """`HH:MM`, Asia/Shanghai."""
    return matching(TIME_OF_DAY, **kwargs)


def community(**kwargs: Any) -> AreaField:
    """The 12-digit code of a community or village."""
    return AreaField(
        validate=validate.Regexp(r"^[0-9]{12}$", error="not the 12 digits of a community"), **kwargs
    )


def grid(**kwargs: Any) -> AreaField:
    """The 17-digit code of a grid or micro-grid."""
    return AreaField(validate=validate.Regexp(r"^[0-9]{17}$", error="not the 17 digits of a grid"), **kwargs)


class Mistakes:
    """Collects the mistakes of a part by path, in the shape that marshmallow answers with."""

    def __init__(self) -> None:
        self.found: list[tuple[tuple[str | int, ...], str]] = []

    def add(self, message: str, *path: str | int) -> None:
        """Name one mistake at `path` (list positions count from 0)."""
        self.found.append((path, message))

    def repeated(self, listed: str, rows: Iterable[Mapping[str, Any]], key: str) -> None:
        """Name every row whose `key` an earlier row already has."""
        seen: set[Any] = set()
        for position, row in enumerate(rows):
            if row[key] in seen:
                self.add(f"{row[key]} is listed twice", listed, position, key)
            seen.add(row[key])

    def unknown(self, what: str, value: str | None, known: Iterable[str], *path: str | int) -> None:
        """Name a reference to something that does not exist; an absent reference is none."""
        if value is not None and value not in known:
            self.add(f"there is no {what} {value}", *path)

    def by_path(self) -> dict[str | int, Any]:
        """All of them nested by path; what is said of a whole stands under `_schema` where its parts err too."""
        nested: dict[str | int, Any] = {}
        for path, message in sorted(self.found, key=lambda each: len(each[0]), reverse=True):
            place = nested
            for step in path[:-1]:
                place = place.setdefault(step, {})
            at = place.setdefault(path[-1], [])
            (at.setdefault("_schema", []) if isinstance(at, dict) else at).append(message)
        return nested

    def raise_if_any(self) -> None:
        """Raise marshmallow's `ValidationError` with all of them."""
        if self.found:
            raise ValidationError(self.by_path())


class SitePart(Strict):
    """What every part says of itself. `revision` is checked against the contents, so half a part is never taken."""

    part: ClassVar[str]
    """The service whose part it is."""

    site = matching(SITE, required=True, metadata={"description": "the folder's name"})
    name = text(60, required=True)
    area = community(required=True)
    revision = matching(SHA256, required=True, metadata={"description": "SHA-256 over the canonical JSON"})

    @pre_load
    def check_revision(self, data: Any, **_: Any) -> Any:
        """Refuse a part whose contents are not the ones its revision was made of."""
        if isinstance(data, Mapping) and data.get("revision") not in (None, revision_of(data)):
            raise ValidationError({"revision": ["the revision does not belong to these contents"]})
        return data

    @validates_schema(skip_on_field_errors=True)
    def check_coherence(self, data: Mapping[str, Any], **_: Any) -> None:
        """Refuse a part that contradicts itself, naming every contradiction."""
        mistakes = Mistakes()
        self.contradictions(data, mistakes)
        mistakes.raise_if_any()

    def contradictions(self, data: Mapping[str, Any], mistakes: Mistakes) -> None:
        """The rules within one part; each part has its own."""


class SiteApplied(Strict):
    """The answer to `PUT /v1/sites/{site}`: how many rows of each noun changed; nothing changed, all zero."""

    site = matching(SITE, required=True)
    revision = matching(SHA256, required=True)
    changed = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
