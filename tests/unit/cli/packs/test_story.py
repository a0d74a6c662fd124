"""A story names its tellers, keeps the order of time, and its steps are complete."""

from typing import Any

import pytest

from wangge.cli.packs.story import StorySchema

AT = "2023-09-14T19:00:00+08:00"
LATER = "2023-09-14T19:30:00+08:00"


def a_story(*steps: dict[str, Any], **changed: Any) -> dict[str, Any]:
    wall = {"person": "w1", "at": AT, "data": {"text": "墙体脱落", "channel": "grid_visit"}}
    return {"title": "t", "summary": "s", "incidents": {"wall": wall}, "steps": list(steps), **changed}


def mistakes_of(story: dict[str, Any]) -> Any:
    return StorySchema().validate(story)


@pytest.mark.parametrize(
    "step",
    [
        {"at": AT, "report": "wall"},
        {"at": AT, "who": "w1", "does": "claim", "case": "wall"},
        {"at": AT, "expects": "wall", "is": {"state": "closed"}},
        {"at": AT, "expects": "wall", "receipt": "merged"},
        {"at": AT, "expects": "wall", "replies": 4},
    ],
)
def test_a_step_reports_acts_or_expects(step: dict[str, Any]) -> None:
    assert mistakes_of(a_story(step)) == {}


@pytest.mark.parametrize(
    "step",
    [
        {"at": AT},
        {"at": AT, "report": "wall", "expects": "wall", "replies": 1},
        {"at": AT, "does": "claim", "case": "wall"},
        {"at": AT, "who": "w1", "does": "dance", "case": "wall"},
        {"at": AT, "expects": "wall"},
        {"at": "2023-09-14T19:00:00", "report": "wall"},
    ],
)
def test_half_a_step_is_refused(step: dict[str, Any]) -> None:
    assert mistakes_of(a_story(step))["steps"]


def test_a_step_does_not_go_back_in_time() -> None:
    wrong = mistakes_of(a_story({"at": LATER, "report": "wall"}, {"at": AT, "report": "wall"}))
    assert wrong == {"steps": {1: {"at": ["is earlier than the step before"]}}}


def test_a_step_is_about_an_incident_that_is_told() -> None:
    assert mistakes_of(a_story({"at": AT, "report": "flood"})) == {
        "steps": {0: {"report": ["there is no incident flood"]}}
    }


@pytest.mark.parametrize("teller", [{}, {"person": "w1", "publisher": "hotline"}])
def test_either_a_person_or_a_publisher_tells_it(teller: dict[str, str]) -> None:
    wall = {**teller, "at": AT, "data": {"text": "墙体脱落", "channel": "grid_visit"}}
    assert mistakes_of(a_story(incidents={"wall": wall}))["incidents"]


def test_an_incident_is_one_that_the_contract_takes() -> None:
    wall = {"person": "w1", "at": AT, "data": {"text": "", "channel": "pigeon"}}
    assert mistakes_of(a_story(incidents={"wall": wall}))["incidents"]
