"""Says in SQL what lies in an area, in the words of an index on the leading digits of its code."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, and_, func

from wangge.contracts.areas import Area


def places(scope: Collection[Area], asked: Area | None = None) -> list[Area]:
    """The areas to look at: those of the scope, or what of them lies in `asked`; none inside another."""
    areas = dict.fromkeys(scope)
    if asked is not None:
        if any(area.contains(asked) for area in areas):
            return [asked]
        areas = dict.fromkeys(area for area in areas if asked.contains(area))
    return [area for area in areas if areas.keys().isdisjoint(area.parents)]


def inside(column: ColumnElement[str], area: Area, keyed: Collection[int] = ()) -> ColumnElement[bool]:
    """Whether the code in `column` lies in the area; `keyed`: for which numbers of digits there is an index.

    Such an index is on `left(column, digits)` and what the rows are ordered by.
    """
    code = area.digits
    end = max((digits for digits in keyed if digits <= len(code)), default=0)
    by_key = [func.left(column, end) == code[:end]] if end else []
    rest: list[ColumnElement[Any]] = [column.like(f"{code}%")] if len(code) > end else []
    return and_(*by_key, *rest)
