"""A part of a site pack is taken whole and coherent, or refused with every mistake named."""

from typing import Any

import pytest
from marshmallow import ValidationError

from wangge.contracts.sites import PARTS, DispatchPart, IntakePart, NotifyPart, PointsPart, with_revision
from wangge.contracts.sites.wording import moment, offered, render

HOME = "140802002902"
GRID = f"{HOME}00100"
COMMON = {"site": "somewhere", "name": "某社区", "area": HOME}


def an_intake_part(**changed: Any) -> dict[str, Any]:
    return with_revision(
        {
            **COMMON,
            "centre": {"lng": 110.99, "lat": 35.03},
            "units": [{"unit_id": "office", "name": "居委会", "kind": "community", "area": HOME, "duties": ["E0110"]}],
            "grids": [
                {"area": GRID, "name": "第一网格", "kind": "base", "boundary": [[110.0, 35.0], [110.1, 35.0], [110.1, 35.1]]}
            ],
            "people": [
                {"person_id": "w1", "name": "周甲子", "unit": "office", "roles": [{"role": "grid_worker", "area": GRID}]}
            ],
            "publishers": [{"login": "hotline", "source": "https://h.example", "name": "热线", "channels": ["hotline_12345"], "areas": [HOME]}],
            "categories": [{"code": "E0110", "name": "垃圾", "keywords": ["垃圾"]}],
            "default_category": "E0110",
            **changed,
        }
    )  # fmt: skip


def a_dispatch_part(**changed: Any) -> dict[str, Any]:
    return with_revision(
        {
            **COMMON,
            "categories": [a_category()],
            "default_category": "E0110",
            "community_unit": "office",
            "ladder": {f"L{level}": "grid_leader" for level in range(1, 6)},
            "default_checkers": ["checker"],
            **changed,
        }
    )


def a_category(**changed: Any) -> dict[str, Any]:
    return {
        "code": "E0110",
        "name": "垃圾",
        "family": "event",
        "limit": "4 work_hour",
        "level": "L2",
        "closing_condition": "清理",
        **changed,
    }


def a_points_part(**rule_set: Any) -> dict[str, Any]:
    items = [
        {"code": f"X{i}", "part": part, "text": part, "value": "2.5"}
        for i, part in enumerate(("base", "award", "penalty"))
    ]
    rules = {"code": "r", "version": 1, "valid_from": "2023-01-01", "items": items, **rule_set}
    return with_revision({**COMMON, "members": [], "rule_set": rules})  # fmt: skip


def a_notify_part(**changed: Any) -> dict[str, Any]:
    return with_revision(
        {
            **COMMON,
            "contacts": [{"ref": "person:w1", "channels": [{"channel": "inbox"}]}],
            "templates": [{"code": "done", "title": "办结", "text": "{{ category | name }}：{{ reply }}"}],
            "routes": [{"event": "case.closed", "template": "done", "to": ["reporters"]}],
            **changed,
        }
    )


def mistakes_of(part: str, body: dict[str, Any]) -> Any:
    return PARTS[part]().validate(body)


@pytest.mark.parametrize(
    ("part", "body"),
    [
        ("intake", an_intake_part()),
        ("dispatch", a_dispatch_part()),
        ("points", a_points_part()),
        ("notify", a_notify_part()),
    ],
)
def test_a_coherent_part_is_taken(part: str, body: dict[str, Any]) -> None:
    assert mistakes_of(part, body) == {}


def test_a_typing_mistake_is_named_and_not_ignored() -> None:
    category = a_category(limt="1 work_day")
    wrong = mistakes_of("dispatch", a_dispatch_part(categories=[category]))
    assert wrong == {"categories": {0: {"limt": ["Unknown field."]}}}


def test_contents_that_are_not_the_revisions_are_refused() -> None:
    body = {**an_intake_part(), "name": "别的社区"}
    with pytest.raises(ValidationError, match="does not belong"):
        IntakePart().load(body)


def test_the_same_contents_have_the_same_revision_in_any_order() -> None:
    one, other = a_points_part(), a_points_part()
    assert dict(reversed(list(one.items())))["revision"] == other["revision"]


@pytest.mark.parametrize(
    "limit", ["2 urgent_hour", "15 work_day", "30 urgent_minute", "1 natural_day", "4 work_hour"]
)
def test_limits_of_the_five_classes_are_understood(limit: str) -> None:
    assert mistakes_of("dispatch", a_dispatch_part(categories=[a_category(limit=limit)])) == {}


@pytest.mark.parametrize(
    "limit", ["2 hours", "urgent_hour", "0 work_day", "-1 work_day", "1.5 work_hour", "2  work_day"]
)
def test_other_limits_are_refused(limit: str) -> None:
    assert mistakes_of("dispatch", a_dispatch_part(categories=[a_category(limit=limit)]))


def test_units_people_and_categories_that_do_not_exist_are_named_all_at_once() -> None:
    body = an_intake_part(
        units=[{"unit_id": "office", "name": "居委会", "kind": "community", "area": HOME, "parent": "nobody", "duties": ["E9"]}],
        people=[{"person_id": "w1", "name": "周甲子", "unit": "gone", "roles": [{"role": "grid_worker", "area": f"{HOME}00900"}]}],
        default_category="E8",
    )  # fmt: skip
    assert mistakes_of("intake", body) == {
        "units": {0: {"parent": ["there is no unit nobody"], "duties": {0: ["there is no category E9"]}}},
        "people": {
            0: {
                "unit": ["there is no unit gone"],
                "roles": {0: {"area": [f"there is no grid {HOME}00900 in {HOME}"]}},
            }
        },
        "default_category": ["there is no category E8"],
    }


@pytest.mark.parametrize(
    ("area", "kind", "message"),
    [
        ("14080200290300100", "base", "does not belong"),
        (f"{HOME}60100", "base", "numbered 001 to 599"),
        (f"{HOME}00200", "dedicated", "numbered 601 to 999"),
        (f"{HOME}00201", "micro", "has no parent grid"),
        (f"{HOME}00201", "base", "not the code of a base grid"),
    ],
)
def test_grid_codes_follow_their_kind_and_place(area: str, kind: str, message: str) -> None:
    grid = {
        "area": area,
        "name": "网格",
        "kind": kind,
        "boundary": [[110.0, 35.0], [110.1, 35.0], [110.1, 35.1]],
    }
    wrong = mistakes_of("intake", an_intake_part(grids=[grid], people=[]))
    assert message in str(wrong["grids"][0])


def test_nobody_is_listed_twice() -> None:
    person = {"person_id": "w1", "name": "周甲子"}
    assert mistakes_of("intake", an_intake_part(people=[person, person])) == {
        "people": {1: {"person_id": ["w1 is listed twice"]}}
    }


def test_a_publisher_reports_only_from_its_community_or_above() -> None:
    publisher = {
        "login": "hotline",
        "source": "https://h.example",
        "name": "热线",
        "channels": ["sensor"],
        "areas": ["140105"],
    }
    assert mistakes_of("intake", an_intake_part(publishers=[publisher]))["publishers"]  # fmt: skip


def test_a_unit_cannot_lead_and_assist_at_once() -> None:
    wrong = mistakes_of("dispatch", a_dispatch_part(categories=[a_category(lead="power", assist=["power"])]))
    assert wrong == {"categories": {0: {"assist": ["power leads and assists"]}}}


def test_a_ladder_needs_every_level() -> None:
    assert set(mistakes_of("dispatch", a_dispatch_part(ladder={"L1": "grid_leader"}))["ladder"]) == {"L2", "L3", "L4", "L5"}  # fmt: skip


def test_working_hours_follow_one_another() -> None:
    wrong = mistakes_of(
        "dispatch", a_dispatch_part(calendar={"slots": [["14:00", "18:00"], ["08:00", "12:00"]]})
    )
    assert wrong == {"calendar": {"slots": {1: ["slots must follow one another"]}}}


def test_the_calendar_is_the_usual_one_where_the_pack_says_nothing() -> None:
    loaded = DispatchPart().load(a_dispatch_part())
    assert loaded["calendar"]["day_mode"] == "hours8"
    assert loaded["calendar"]["slots"] == [("08:00", "12:00"), ("14:00", "18:00")]
    assert loaded["stage_limits"]["check_emergency"] == "30 urgent_minute"


def test_a_rule_set_without_one_of_the_three_parts_is_refused() -> None:
    items = [
        {"code": "B1", "part": "base", "text": "t", "value": 1},
        {"code": "A1", "part": "award", "text": "t", "value": 1},
    ]
    wrong = mistakes_of("points", a_points_part(items=items))  # fmt: skip
    assert wrong == {
        "rule_set": {"items": ["the rule set has no penalty items; it must have all three parts"]}
    }


def test_a_rule_set_has_as_many_items_as_its_pack_says() -> None:
    wrong = mistakes_of("points", a_points_part(expected_items=34))
    assert wrong == {"rule_set": {"expected_items": ["3 items are listed, 34 are expected"]}}


def test_points_are_exact_amounts() -> None:
    loaded = PointsPart().load(a_points_part())
    assert str(loaded["rule_set"]["items"][0]["value"]) == "2.50"


def test_a_template_that_does_not_compile_is_named() -> None:
    wrong = mistakes_of(
        "notify", a_notify_part(templates=[{"code": "done", "title": "办结", "text": "{{ reply"}])
    )
    assert "line 1 of the template" in wrong["templates"][0]["text"][0]


def test_a_template_uses_only_what_its_fact_offers() -> None:
    wrong = mistakes_of(
        "notify", a_notify_part(templates=[{"code": "done", "title": "办结", "text": "{{ deadline }}"}])
    )
    assert wrong == {"routes": {0: {"template": ["case.closed offers no {{ deadline }}"]}}}


def test_a_route_names_a_template_that_exists() -> None:
    wrong = mistakes_of("notify", a_notify_part(templates=[]))
    assert wrong == {"routes": {0: {"template": ["there is no template done"]}}}


def test_a_mail_needs_an_address_and_an_inbox_none() -> None:
    contact = {"ref": "person:w1", "channels": [{"channel": "inbox"}, {"channel": "mail"}]}
    wrong = mistakes_of("notify", a_notify_part(contacts=[contact]))
    assert wrong == {"contacts": {0: {"channels": {1: {"address": ["needs an address"]}}}}}


@pytest.mark.parametrize(
    "to", ["lead", "assist", "reporters", "helpers", "publisher", "role:grid_leader@grid"]
)
def test_recipients_are_parts_in_a_case_or_roles_in_a_place(to: str) -> None:
    route = {"event": "case.closed", "template": "done", "to": [to]}
    assert NotifyPart().validate(a_notify_part(routes=[route])) == {}


@pytest.mark.parametrize("to", ["everybody", "role:king@grid", "role:grid_leader@moon", "role:grid_leader"])
def test_other_recipients_are_refused(to: str) -> None:
    route = {"event": "case.closed", "template": "done", "to": [to]}
    assert NotifyPart().validate(a_notify_part(routes=[route]))["routes"]


def test_texts_speak_of_names_and_moments_as_people_in_china_do() -> None:
    names = {"power": "供电公司", "E0596": "高空坠物"}
    text = render(
        "{{ category | name }}，请{{ lead | name }}于 {{ deadline | moment }} 前办结；{{ other | name }}",
        {"category": "E0596", "lead": "power", "deadline": "2023-09-14T13:00:00Z", "other": "unknown"},
        names,
    )
    assert text == "高空坠物，请供电公司于 9月14日 21:00 前办结；unknown"


def test_a_template_cannot_reach_outside_its_sandbox() -> None:
    with pytest.raises(ValueError, match="cannot be filled in"):
        render("{{ ''.__class__.__mro__[1].__subclasses__() }}", {}, {})


def test_a_moment_is_told_in_shanghai_time() -> None:
    assert moment("2025-12-31T16:05:00+00:00") == "1月1日 00:05"


def test_a_fact_offers_its_data_and_the_communitys_name() -> None:
    assert {"site", "case_no", "reply"} <= offered("case.closed")


def test_no_notice_tells_who_reported() -> None:
    assert not {"reporters", "reporter"} & (offered("case.closed") | offered("report.rejected"))


@pytest.mark.parametrize("limits", [{}, {"quota_per_day": 1}, {"quota_per_day": 500, "pace_per_minute": 60}])
def test_limits_of_a_publisher_are_optional(limits: dict[str, int]) -> None:
    assert mistakes_of("intake", an_intake_part(publishers=[a_publisher(**limits)])) == {}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"quota_per_day": 0}, "quota_per_day"),
        ({"pace_per_minute": "often"}, "pace_per_minute"),
        ({"pace_per_hour": 5}, "pace_per_hour"),
        ({"login": "dispatch"}, "login"),
        ({"login": "unknown"}, "login"),
    ],
)
def test_wrong_limits_and_logins_of_the_system_itself_are_named(changed: dict[str, Any], field: str) -> None:
    wrong = mistakes_of("intake", an_intake_part(publishers=[a_publisher(**changed)]))
    assert list(wrong["publishers"][0]) == [field]


def a_publisher(**changed: Any) -> dict[str, Any]:
    row = {"login": "hotline", "source": "https://h.example", "name": "热线"}
    return {**row, "channels": ["hotline_12345"], "areas": [HOME], **changed}
