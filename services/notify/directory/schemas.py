"""Speaks the wire of the directory: the columns that a fact of intake fills, by the fact's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Columns = Mapping[str, Any]


def unit_of(data: Columns) -> dict[str, Any]:
    """A unit's columns."""
    return {name: data[name] for name in ("unit_id", "name", "kind", "area", "status")}


def grid_of(data: Columns) -> dict[str, Any]:
    """A grid's columns."""
    return {name: data[name] for name in ("area", "name", "kind", "status")}


def person_of(data: Columns) -> dict[str, Any]:
    """A person's columns."""
    return {name: data.get(name) for name in ("person_id", "area", "unit_id", "status")}


def role_of(data: Columns) -> dict[str, Any]:
    """A role's columns; `unit_id` is part of the key, so none is the empty text."""
    named = {name: data[name] for name in ("person_id", "role", "area", "status")}
    return {**named, "unit_id": data.get("unit_id") or ""}
