"""Reads what a request carries: bytes within a limit, JSON, data by a schema."""

from __future__ import annotations

from typing import Any

import orjson
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request

from wangge.chassis.delivery import wrong_fields
from wangge.chassis.errors import Invalid, TooLarge, invalid
from wangge.contracts import quick

#: Bytes of a request body; a stream of lines has this limit for each line.
MAX_BODY_BYTES = 256 * 1024


def body_of(request: Request, most: int) -> bytes:
    """The bytes of the body. Raises `TooLarge` beyond `most` of them."""
    if (request.content_length or 0) > most:
        raise _too_large(most)
    request.max_content_length = most
    try:
        raw: bytes = request.get_data(cache=False)
    except HTTPException as wrong:
        raise _too_large(most) from wrong
    return raw


def parse_json(raw: bytes) -> Any:
    """The JSON in `raw`. Raises `Invalid` saying where it breaks."""
    if b"\\u0000" in raw:
        raise invalid([{"field": "body", "message": "NUL character"}])
    try:
        return orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError as wrong:
        raise Invalid(
            "body.bad_json",
            "不是有效的 JSON",
            f"not JSON: {wrong}",
            400,
            [{"field": "body", "message": str(wrong)}],
        ) from wrong


def load(schema: Schema, document: Any) -> Any:
    """`document` loaded by `schema`. Raises `Invalid` naming every wrong field."""
    try:
        return quick.load(schema, document)
    except ValidationError as wrong:
        raise invalid(wrong_fields(wrong)) from wrong


def _too_large(most: int) -> TooLarge:
    return TooLarge("body.too_large", f"内容超过 {most} 字节", f"the body exceeds {most} bytes")
