"""The language of notice templates: which variables a fact offers, and the filters that speak Chinese.

A template is jinja2 in a sandbox, because a pack is data and not code. Its variables are the fields of the fact's data
and `site`, the name of the community. Filters: `{{ lead | name }}` gives the Chinese name of a category, unit or grid
(the code itself where none is known), `{{ deadline | moment }}` an instant as `9月14日 21:00` in Asia/Shanghai.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Template, TemplateError, TemplateSyntaxError, pass_context
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from wangge.contracts.events import REGISTRY

CHINA = ZoneInfo("Asia/Shanghai")

#: Templates kept compiled: compiling one costs a millisecond, filling it in a twentieth of that.
COMPILED_TEMPLATES = 1024

NAMES = "_names"
"""Under this name a template being filled in finds the Chinese names; no fact offers it, so no template may use it."""

NOTICE_EVENTS = (
    "report.accepted",
    "report.rejected",
    "report.merged",
    "case.filed",
    "case.dispatched",
    "case.claimed",
    "case.handled",
    "case.checked",
    "case.closed",
    "case.reopened",
    "case.overdue",
    "points.posted",
    "points.reversed",
)
"""The facts that a route can be hung on."""


NEVER_TOLD = frozenset({"reporter", "reporters"})
"""Fields of a fact that no notice may repeat: who reported is nobody's business."""


def moment(at: datetime | str) -> str:
    """`9月14日 21:00`: an aware instant, or its RFC 3339 text, as people in China read it."""
    instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    local = instant.astimezone(CHINA)
    return f"{local.month}月{local.day}日 {local:%H:%M}"


@pass_context
def _name(context: Context, code: object) -> str:
    known: Mapping[str, str] = context.get(NAMES, {})
    return known.get(str(code), str(code))


def _environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(autoescape=False, keep_trailing_newline=False)
    environment.filters["moment"] = moment
    environment.filters["name"] = _name
    return environment


_ENVIRONMENT = _environment()


@lru_cache(maxsize=COMPILED_TEMPLATES)
def _compiled(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


def offered(event: str) -> frozenset[str]:
    """The variables that a fact of this name (`case.closed`) offers to its templates."""
    contract = REGISTRY[f"{event}.v1"]
    return frozenset(contract.loader.fields) - NEVER_TOLD | {"site"}


def used(source: str) -> frozenset[str]:
    """The variables that a template uses. Raises `ValueError` when it does not compile."""
    try:
        _compiled(source)
        return frozenset(find_undeclared_variables(_ENVIRONMENT.parse(source)))
    except TemplateSyntaxError as wrong:
        raise ValueError(f"line {wrong.lineno} of the template: {wrong.message}") from wrong


def render(source: str, variables: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The text that a template makes of a fact's data. Raises `ValueError` naming why it makes none."""
    try:
        return _compiled(source).render({**variables, NAMES: names}).strip()
    except (TemplateError, ArithmeticError, LookupError, ValueError, TypeError) as wrong:
        raise ValueError(f"the template cannot be filled in: {wrong}") from wrong
