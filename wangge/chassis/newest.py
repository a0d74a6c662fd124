"""Reads a page of a list, the newest first, from several ways to its rows at once.

A condition such as "of my unit, or in my areas" has no order that an index could keep. Each way by itself has: its rows
are read in order until the page is full, and of all ways together the newest make the page. So a page costs a few times
its rows, however many there are. Limit: further conditions that few rows of a way meet are looked for row by row.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, select, tuple_, union_all


def way(
    query: Select[Any],
    keys: Sequence[ColumnElement[Any]],
    conditions: Collection[ColumnElement[bool]],
    after: Sequence[Any] | None,
    limit: int,
) -> Select[Any]:
    """Up to `limit` rows of a query of `keys` under these conditions, the highest keys first, those after `after`."""
    found = query.where(*conditions)
    if after is not None:
        found = found.where(tuple_(*keys) < tuple_(*after))
    cut = found.order_by(*(key.desc() for key in keys)).limit(limit).subquery()
    return select(cut)


def newest(
    table: Table, columns: Sequence[ColumnElement[Any]], ways: Sequence[Select[Any]], limit: int
) -> Select[Any]:
    """The `columns` of up to `limit` rows of `table` that the ways lead to, each once.

    A way selects the keys of the order, of which the last one is the table's primary key.
    """
    found = union_all(*ways).subquery() if len(ways) > 1 else ways[0].subquery()
    order = [column.name for column in found.c]
    cut = (
        select(*found.c)
        .distinct()
        .order_by(*(found.c[name].desc() for name in order))
        .limit(limit)
        .subquery()
    )
    rows = select(*columns).select_from(table).join(cut, cut.c[order[-1]] == table.c[order[-1]])
    return rows.order_by(*(cut.c[name].desc() for name in order))
