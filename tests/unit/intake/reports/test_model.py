from datetime import UTC, datetime, timedelta
from itertools import permutations, product

import pytest

from services.intake.reports.model import (
    MOVES,
    Command,
    Incident,
    Report,
    ReportStatus,
    Stance,
    mirror,
    move,
    report_code,
    require_own_decision,
    stance,
    wrong_channels,
    wrong_points,
    wrong_times,
)
from wangge.chassis.errors import Conflict

NOW = datetime(2023, 9, 14, 11, tzinfo=UTC)
CASE = "1408022023091400001"


def an_incident(**changes):
    told = {"text": "墙皮脱落", "occurred_at": NOW, "channel": "grid_visit"}
    return Incident(**{**told, **changes})


def a_report(**changes):
    facts = {
        "code": "BG20230914-000001",
        "status": ReportStatus.SUBMITTED,
        "sender": "person:w1",
        "incident": an_incident(),
        "area": "14080200299900100",
        "community": "140802002999",
        "located_by": "point",
        "category": "E0104",
        "urgency": "none",
        "reporter_ref": "person:w1",
        "is_confidential": False,
        "wants_reply": True,
        "received_at": NOW,
    }
    return Report(**{**facts, **changes})


S = ReportStatus
LEADS_TO = {
    (S.DRAFT, Command.SUBMIT): S.SUBMITTED,
    (S.SUBMITTED, Command.ACCEPT): S.ACCEPTED,
    (S.SUBMITTED, Command.REJECT): S.REJECTED,
    (S.MERGED, Command.REJECT): S.REJECTED,
    (S.SUBMITTED, Command.MERGE): S.MERGED,
    (S.ACCEPTED, Command.FILE): S.FILED,
    (S.ACCEPTED, Command.CLOSE): S.CLOSED,
    (S.FILED, Command.CLOSE): S.CLOSED,
    (S.ACCEPTED, Command.REOPEN): S.FILED,
    (S.FILED, Command.REOPEN): S.FILED,
    (S.CLOSED, Command.REOPEN): S.FILED,
}


@pytest.mark.parametrize(("status", "command"), list(product(ReportStatus, Command)))
def test_every_pair_of_state_and_command_is_allowed_or_refused_by_the_table(status, command):
    report = a_report(status=status)
    if (status, command) in LEADS_TO:
        moved = move(report, command)
        assert moved.status is LEADS_TO[status, command]
        assert moved.version == report.version + 1
    else:
        with pytest.raises(Conflict) as refused:
            move(report, command)
        assert refused.value.code == "report.move_forbidden"
        assert refused.value.extra["allowed"] == [
            each.value for each in Command if (status, each) in LEADS_TO
        ]


def test_every_command_has_its_row_in_the_table():
    assert set(MOVES) == set(Command)


@pytest.mark.parametrize(
    ("urgency", "is_trusted", "is_for_others", "decided"),
    [
        ("none", False, False, Stance.WAIT),
        ("none", False, True, Stance.REJECT),
        ("none", True, False, Stance.ACCEPT),
        ("none", True, True, Stance.REJECT),
        ("high", False, False, Stance.WAIT),
        ("high", False, True, Stance.REJECT),
        ("high", True, False, Stance.ACCEPT),
        ("high", True, True, Stance.REJECT),
        ("emergency", False, False, Stance.ACCEPT),
        ("emergency", False, True, Stance.ACCEPT),
        ("emergency", True, False, Stance.ACCEPT),
        ("emergency", True, True, Stance.ACCEPT),
    ],
)
def test_what_is_decided_about_a_report_as_it_arrives(urgency, is_trusted, is_for_others, decided):
    assert stance(urgency, is_trusted=is_trusted, is_for_others=is_for_others) is decided


def test_a_report_that_follows_another_is_not_decided_about_by_itself():
    require_own_decision(a_report())
    with pytest.raises(Conflict) as refused:
        require_own_decision(a_report(status=S.MERGED, merged_into="BG20230914-000009"))
    assert refused.value.extra["of"] == "BG20230914-000009"


FACTS = [(Command.FILE, 1), (Command.CLOSE, 5), (Command.REOPEN, 6), (Command.CLOSE, 9)]


@pytest.mark.parametrize("told", list(permutations(FACTS)))
def test_facts_of_a_case_in_any_order_lead_to_the_same_report(told):
    report = a_report(status=S.ACCEPTED)
    for command, sequence in told:
        report = mirror(report, command, CASE, sequence)
    assert (report.status, report.case_no, report.case_sequence) == (S.CLOSED, CASE, 9)


@pytest.mark.parametrize("told", list(permutations(FACTS[:3])))
def test_a_reopened_case_is_open_whatever_arrived_last(told):
    report = a_report(status=S.ACCEPTED)
    for command, sequence in told:
        report = mirror(report, command, CASE, sequence)
    assert report.status is S.FILED


def test_the_same_fact_again_changes_nothing():
    filed = mirror(a_report(status=S.ACCEPTED), Command.FILE, CASE, 1)
    assert mirror(filed, Command.FILE, CASE, 1) is filed


@pytest.mark.parametrize(
    ("number", "now", "code"),
    [
        (1, datetime(2023, 9, 14, 11, tzinfo=UTC), "BG20230914-000001"),
        (1, datetime(2023, 9, 14, 15, 59, 59, tzinfo=UTC), "BG20230914-000001"),
        (2, datetime(2023, 9, 14, 16, tzinfo=UTC), "BG20230915-000002"),
        (1234567, datetime(2023, 9, 14, tzinfo=UTC), "BG20230914-1234567"),
    ],
)
def test_the_code_carries_the_day_in_shanghai_and_at_least_six_digits(number, now, code):
    assert report_code(number, now) == code


@pytest.mark.parametrize(("ahead", "is_wrong"), [(600, False), (601, True), (-86400, False)])
def test_ten_minutes_ahead_is_the_most_that_a_senders_clock_may_be(ahead, is_wrong):
    incident = an_incident(occurred_at=NOW + timedelta(seconds=ahead))
    assert bool(wrong_times(incident, NOW)) is is_wrong


@pytest.mark.parametrize(
    ("lng", "lat", "fields"),
    [(None, None, []), (110.9, 35.0, []), (110.9, None, ["location.lat"]), (None, 35.0, ["location.lng"])],
)
def test_half_a_point_is_no_point(lng, lat, fields):
    wrong = wrong_points(an_incident(lng=lng, lat=lat))
    assert [error["field"] for error in wrong] == fields


def test_a_channel_that_the_sender_may_not_use_is_named_with_those_it_may():
    assert wrong_channels("video", {"video"}) == []
    assert wrong_channels("video", {"sensor", "rider"}) == [
        {"field": "channel", "message": "video is not allowed here; allowed: rider, sensor"}
    ]
