"""Speaks the wire of templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from services.notify.templates.model import Template


class TemplateAnswer(Schema):
    """A template as it holds."""

    code = fields.String()
    title = fields.String()
    text = fields.String()


def templates_of(part: Mapping[str, Any]) -> list[Template]:
    """The templates of a loaded part."""
    return [Template(row["code"], row["title"], row["text"]) for row in part["templates"]]
