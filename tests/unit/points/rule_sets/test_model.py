from collections import Counter
from datetime import date
from decimal import Decimal

import pytest

from services.points.rule_sets.model import AutoRule, Part, RuleItem, RuleSet, check_publishable
from wangge.chassis.errors import Invalid


def an_item(code="A1", part=Part.AWARD, value="2", **changes) -> RuleItem:
    return RuleItem(code, part, "示例", Decimal(value), **changes)


def a_rule_set(*items: RuleItem) -> RuleSet:
    return RuleSet(1, "village", "village", 1, date(2023, 1, 1), Decimal(80), Decimal(20), items)


ALL_PARTS = (an_item("B1", Part.BASE), an_item("A1", Part.AWARD), an_item("P1", Part.PENALTY))


def test_rule_set_with_three_parts_and_the_expected_items_is_publishable():
    check_publishable(a_rule_set(*ALL_PARTS), 3)
    check_publishable(a_rule_set(*ALL_PARTS), None)


@pytest.mark.parametrize("part", Part)
def test_rule_set_without_one_of_the_parts_is_refused(part):
    with pytest.raises(Invalid) as refused:
        check_publishable(a_rule_set(*(item for item in ALL_PARTS if item.part is not part)), None)
    assert [error["field"] for error in refused.value.errors] == ["rule_set.items"]
    assert part in refused.value.errors[0]["message"]


def test_every_mistake_of_a_rule_set_is_named_at_once():
    with pytest.raises(Invalid) as refused:
        check_publishable(a_rule_set(an_item(), an_item()), 34)
    assert [error["field"] for error in refused.value.errors] == [
        "rule_set.items",
        "rule_set.items",
        "rule_set.expected_items",
    ]


@pytest.mark.parametrize(
    ("rule", "parts", "channel", "category", "due"),
    [
        (AutoRule("case.closed", ("reporter",)), {"reporter"}, "patrol", "E1", True),
        (AutoRule("case.closed", ("reporter",)), {"handler"}, "patrol", "E1", False),
        (AutoRule("case.closed", ("reporter", "helper")), {"handler", "helper"}, "patrol", "E1", True),
        (AutoRule("case.closed", ("reporter",), channels=("rider",)), {"reporter"}, "patrol", "E1", False),
        (AutoRule("case.closed", ("reporter",), channels=("patrol",)), {"reporter"}, "patrol", "E1", True),
        (AutoRule("case.closed", ("reporter",), categories=("E2",)), {"reporter"}, "patrol", "E1", False),
        (AutoRule("case.closed", ("reporter",), categories=("E1",)), {"reporter"}, "patrol", "E1", True),
        (AutoRule("visit.completed", ("reporter",)), {"reporter"}, "patrol", "E1", False),
    ],
)
def test_item_is_due_where_event_part_channel_and_category_match(rule, parts, channel, category, due):
    rules = a_rule_set(an_item(auto=rule), an_item("B1", Part.BASE))
    assert bool(rules.due("case.closed", parts, channel, category)) is due


@pytest.mark.parametrize(
    ("limits", "values", "worth"),
    [
        ({}, ["2", "2", "2"], "6"),
        ({"max_times": 2}, ["2", "2", "2"], "4"),
        ({"max_times": 2}, ["1", "3", "2"], "5"),
        ({"per_period_cap": Decimal(5)}, ["2", "2", "2"], "5"),
        ({"max_times": 1, "per_period_cap": Decimal("1.5")}, ["2", "2"], "1.5"),
        ({"max_times": 2}, [], "0"),
    ],
)
def test_limits_of_an_item_bound_what_its_entries_count_for(limits, values, worth):
    assert an_item(**limits).worth(Counter(Decimal(value) for value in values)) == Decimal(worth)


@pytest.mark.parametrize(
    ("value_min", "value", "allowed"),
    [
        (None, "5", True),
        (None, "4.99", False),
        (None, "0", False),
        ("2", "2", True),
        ("2", "5", True),
        ("2", "1.99", False),
        ("2", "5.01", False),
    ],
)
def test_value_is_the_rules_own_or_lies_in_its_range(value_min, value, allowed):
    item = an_item(value="5", value_min=value_min and Decimal(value_min))
    assert item.allows(Decimal(value)) is allowed
