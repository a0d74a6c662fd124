"""Decides what a rule set is and what it grants: three parts, items with a worth, limits and automatic triggers."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from wangge.chassis.errors import FieldError, invalid


class Part(StrEnum):
    """The three parts of every rule set: 日常行为基础分, 先进事迹奖励分, 违规违纪负面分."""

    BASE = "base"
    AWARD = "award"
    PENALTY = "penalty"

    @property
    def sign(self) -> int:
        """1 where an entry adds, -1 where it takes."""
        return -1 if self is Part.PENALTY else 1


@dataclass(frozen=True, slots=True)
class AutoRule:
    """The event that posts an item by itself. Empty channels or categories mean all of them."""

    event: str
    parts: tuple[str, ...]
    channels: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    def matches(self, event: str, parts: Collection[str], channel: str, category: str) -> bool:
        """Whether somebody who had one of `parts` in such an event is meant."""
        return (
            event == self.event
            and not set(self.parts).isdisjoint(parts)
            and (not self.channels or channel in self.channels)
            and (not self.categories or category in self.categories)
        )


@dataclass(frozen=True, slots=True)
class RuleItem:
    """One line of a rule set. `value` is never negative; where `value_min` is given the recorder may choose between.

    Of several entries for one item in one period the `max_times` greatest count, together at most `per_period_cap`.
    """

    code: str
    part: Part
    text: str
    value: Decimal
    value_min: Decimal | None = None
    max_times: int | None = None
    per_period_cap: Decimal | None = None
    evidence_required: bool = False
    auto: AutoRule | None = None

    def allows(self, value: Decimal) -> bool:
        """Whether an entry may have this value."""
        least = self.value if self.value_min is None else self.value_min
        return least <= value <= self.value

    def worth(self, times: Mapping[Decimal, int]) -> Decimal:
        """What entries count for together in one period, given how many there are of each value."""
        left = sum(times.values()) if self.max_times is None else self.max_times
        counted = Decimal(0)
        for value in sorted(times, reverse=True):
            taken = min(left, times[value])
            counted += taken * value
            left -= taken
        return counted if self.per_period_cap is None else min(counted, self.per_period_cap)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A published version of a site's rules. It never changes; a change is another version."""

    rule_set_id: int
    site: str
    code: str
    version: int
    valid_from: date
    base_cap: Decimal
    award_cap: Decimal
    items: tuple[RuleItem, ...]

    def item(self, code: str) -> RuleItem | None:
        """The item, or None where this version has none of that code."""
        return next((item for item in self.items if item.code == code), None)

    def says_the_same(self, other: "RuleSet") -> bool:
        """Whether both are the same version with the same contents."""
        return replace(self, rule_set_id=0) == replace(other, rule_set_id=0)

    def due(self, event: str, parts: Collection[str], channel: str, category: str) -> list[RuleItem]:
        """The items that somebody with `parts` in such an event is credited with, each once."""
        return [
            item for item in self.items if item.auto and item.auto.matches(event, parts, channel, category)
        ]


def check_publishable(rule_set: RuleSet, expected_items: int | None) -> None:
    """A rule set has all three parts, unique codes and as many items as its pack says. Raises `Invalid`."""
    errors: list[FieldError] = []
    codes = [item.code for item in rule_set.items]
    missing = [part for part in Part if part not in {item.part for item in rule_set.items}]
    if missing:
        errors.append({"field": "rule_set.items", "message": f"no items of the part {', '.join(missing)}"})
    if len(set(codes)) != len(codes):
        errors.append({"field": "rule_set.items", "message": "a code is listed twice"})
    if expected_items is not None and expected_items != len(codes):
        message = f"{len(codes)} items are listed, {expected_items} are expected"
        errors.append({"field": "rule_set.expected_items", "message": message})
    if errors:
        raise invalid(errors)
