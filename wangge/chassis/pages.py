"""Cuts lists into pages by cursor: stable under inserts, no offset to count."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from marshmallow import RAISE, Schema, fields, validate

from wangge.chassis.errors import invalid

#: Rows of a page where none is asked for, and the most that may be asked for.
PAGE = 50
MOST = 200


class PageQuery(Schema):
    """`?cursor=&limit=` of every list; a list adds its filters."""

    class Meta:
        unknown = RAISE

    cursor = fields.String(load_default=None)
    limit = fields.Integer(load_default=PAGE, validate=validate.Range(1, MOST))


def cursor_of(*key: Any) -> str:
    """The cursor after the row with sort key `key` (JSON values)."""
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


def key_of(cursor: str | None, width: int) -> list[Any] | None:
    """The sort key in a cursor, or None for the first page. Refuses a cursor that is not ours."""
    if not cursor:
        return None
    try:
        key = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, orjson.JSONDecodeError, ValueError):
        key = None
    if not isinstance(key, list) or len(key) != width:
        raise invalid([{"field": "cursor", "message": "not a cursor of this list"}])
    return key


def page(rows: Sequence[Any], limit: int, key: Callable[[Any], tuple[Any, ...]]) -> dict[str, Any]:
    """`{items, next_cursor}` from up to `limit` + 1 rows."""
    shown = list(rows[:limit])
    more = len(rows) > limit
    return {"items": shown, "next_cursor": cursor_of(*key(shown[-1])) if more else None}
