"""Points' part: the members and the rule set by which they earn."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from marshmallow import fields, validate

from wangge.contracts.fields import CHANNELS, PERSON_ID, matching, one_of, text
from wangge.contracts.sites.base import Mistakes, SitePart, Strict, grid

PARTS = ("base", "award", "penalty")
"""日常行为基础分, 先进事迹奖励分, 违规违纪负面分."""


def points(**kwargs: Any) -> fields.Decimal:
    """An amount of points, not negative, at most two decimals."""
    return fields.Decimal(places=2, validate=validate.Range(min=Decimal(0), max=Decimal(1000)), **kwargs)


class Member(Strict):
    """A party member who is scored here."""

    person_id = matching(PERSON_ID, required=True)
    org = text(80, required=True)
    status = one_of("formal", "probationary", "mobile", "exempt", load_default="formal")
    grid = grid(allow_none=True, load_default=None)


class AutoRule(Strict):
    """An entry that an event posts by itself, for the people who had one of these parts in it."""

    event = one_of("case.closed", required=True)
    parts = fields.List(
        one_of("reporter", "handler", "helper"), required=True, validate=validate.Length(min=1)
    )
    channels = fields.List(
        one_of(*CHANNELS), load_default=list, metadata={"description": "none: every channel"}
    )
    categories = fields.List(text(16), load_default=list, metadata={"description": "none: every category"})


class RuleItem(Strict):
    """One line of the rule set. `value` is never negative; the part says whether it adds or takes.

    Where `value_min` is given, whoever records an entry chooses between it and `value`.
    """

    code = text(16, required=True)
    part = one_of(*PARTS, required=True)
    text = text(120, required=True)
    value = points(required=True)
    value_min = points(allow_none=True, load_default=None)
    max_times = fields.Integer(allow_none=True, load_default=None, validate=validate.Range(min=1))
    per_period_cap = points(allow_none=True, load_default=None)
    evidence_required = fields.Boolean(load_default=False)
    auto = fields.Nested(AutoRule, allow_none=True, load_default=None)


class RuleSet(Strict):
    """A version of the rules with the day from which it holds. `expected_items` is what the pack says it lists."""

    code = text(32, required=True)
    version = fields.Integer(required=True, validate=validate.Range(min=1))
    valid_from = fields.Date(required=True)
    base_cap = points(load_default=Decimal(80))
    award_cap = points(load_default=Decimal(20))
    expected_items = fields.Integer(allow_none=True, load_default=None, validate=validate.Range(min=1))
    items = fields.List(fields.Nested(RuleItem), required=True, validate=validate.Length(min=1))


class PointsPart(SitePart):
    """Points' part of a site pack."""

    part = "points"

    members = fields.List(fields.Nested(Member), required=True)
    rule_set = fields.Nested(RuleSet, required=True)
    period_kind = one_of("month", "quarter", "year", load_default="quarter")

    def contradictions(self, data: Mapping[str, Any], mistakes: Mistakes) -> None:
        """Members and items are unique, grids are of the community, the rule set has its parts and its count."""
        mistakes.repeated("members", data["members"], "person_id")
        for i, member in enumerate(data["members"]):
            if member["grid"] is not None and not member["grid"].startswith(data["area"]):
                mistakes.add(f"{member['grid']} does not belong to the community", "members", i, "grid")
        self._check_rule_set(data["rule_set"], mistakes)

    @staticmethod
    def _check_rule_set(rule_set: Mapping[str, Any], mistakes: Mistakes) -> None:
        listed = Mistakes()
        listed.repeated("items", rule_set["items"], "code")
        for i, item in enumerate(rule_set["items"]):
            if item["value_min"] is not None and item["value_min"] > item["value"]:
                listed.add(f"value_min is above the value {item['value']}", "items", i, "value_min")
        parts = Counter(item["part"] for item in rule_set["items"])
        for part in PARTS:
            if not parts[part]:
                listed.add(f"the rule set has no {part} items; it must have all three parts", "items")
        expected = rule_set["expected_items"]
        if expected is not None and expected != len(rule_set["items"]):
            listed.add(
                f"{len(rule_set['items'])} items are listed, {expected} are expected", "expected_items"
            )
        for path, message in listed.found:
            mistakes.add(message, "rule_set", *path)
