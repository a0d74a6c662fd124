"""Speaks the wire of routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from services.notify.routes.model import Route


class RouteAnswer(Schema):
    """A route as it holds."""

    event = fields.String()
    template = fields.String()
    to = fields.List(fields.String())
    urgent = fields.Boolean(attribute="is_urgent")


def routes_of(part: Mapping[str, Any]) -> list[Route]:
    """The routes of a loaded part, in its order."""
    return [Route(row["event"], row["template"], tuple(row["to"]), row["urgent"]) for row in part["routes"]]
