"""Decides what a template may speak of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from wangge.chassis.errors import invalid

NEVER_TOLD = frozenset({"reporter", "reporters"})
"""Who reported stays hidden from those who are told of it (domain: complaint confidentiality), even as a reference."""


@dataclass(frozen=True, slots=True)
class Template:
    """What is said, in Chinese, with the facts of an event in its gaps."""

    code: str
    title: str
    text: str


def check_discreet(template: Template, used: Collection[str]) -> None:
    """Refuse a template that would tell who reported."""
    wrong = NEVER_TOLD.intersection(used)
    if wrong:
        raise invalid(
            [
                {"field": f"templates.{template.code}", "message": f"{{{{ {name} }}}} is never told"}
                for name in sorted(wrong)
            ]
        )


def variables(data: Mapping[str, Any], site_name: str) -> dict[str, Any]:
    """What of a fact's data a template gets to see."""
    return {name: value for name, value in data.items() if name not in NEVER_TOLD} | {"site": site_name}
