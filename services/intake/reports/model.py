"""Decides about reports: which moves their state allows, which are accepted or rejected at once, what a case tells.

`draft → submitted → (verifying ⇄ submitted) → accepted | rejected | merged | answered | redirected;
accepted → filed → closed; any non-final → withdrawn` (domain model 3.3.1).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

from wangge.chassis.errors import Conflict

#: Minutes by which a sender's clock may be ahead of ours.
AHEAD = timedelta(minutes=10)

SHANGHAI = timezone(timedelta(hours=8))


class ReportStatus(StrEnum):
    """Where a report is in its life."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    VERIFYING = "verifying"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    MERGED = "merged"
    ANSWERED = "answered"
    REDIRECTED = "redirected"
    FILED = "filed"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class Command(StrEnum):
    """What moves a report."""

    SUBMIT = "submit"
    ACCEPT = "accept"
    REJECT = "reject"
    MERGE = "merge"
    FILE = "file"
    CLOSE = "close"
    REOPEN = "reopen"


_S = ReportStatus

MOVES: dict[Command, tuple[frozenset[ReportStatus], ReportStatus]] = {
    Command.SUBMIT: (frozenset({_S.DRAFT}), _S.SUBMITTED),
    Command.ACCEPT: (frozenset({_S.SUBMITTED}), _S.ACCEPTED),
    # a merged report goes with the one it was merged into, so that its reporter is told too
    Command.REJECT: (frozenset({_S.SUBMITTED, _S.MERGED}), _S.REJECTED),
    Command.MERGE: (frozenset({_S.SUBMITTED}), _S.MERGED),
    # facts of the case may overtake each other: each leads to its state from wherever the case had the report
    Command.FILE: (frozenset({_S.ACCEPTED}), _S.FILED),
    Command.CLOSE: (frozenset({_S.ACCEPTED, _S.FILED}), _S.CLOSED),
    Command.REOPEN: (frozenset({_S.ACCEPTED, _S.FILED, _S.CLOSED}), _S.FILED),
}

OPEN = frozenset({ReportStatus.SUBMITTED, ReportStatus.ACCEPTED, ReportStatus.FILED})
"""States in which a near report of the same category is merged into this one."""


@dataclass(frozen=True, slots=True)
class Incident:
    """What was told, before anybody sorted it. A point has both `lng` and `lat` or neither."""

    text: str
    occurred_at: datetime
    channel: str
    title: str | None = None
    category: str | None = None
    urgency: str = "none"
    area: str | None = None
    lng: float | None = None
    lat: float | None = None
    address: str | None = None
    external_no: str | None = None
    reporter_ref: str | None = None
    evidence: tuple[Mapping[str, Any], ...] = ()

    @property
    def has_point(self) -> bool:
        """Whether it says where on the ground."""
        return self.lng is not None and self.lat is not None

    @property
    def words(self) -> str:
        """All that was said, for keywords."""
        return f"{self.title or ''}\n{self.text}"


@dataclass(frozen=True, slots=True)
class Report:
    """A report. `sender` is who brought it (None: anonymous), `reporter_ref` whose report it is, by reference."""

    code: str
    status: ReportStatus
    sender: str | None
    incident: Incident
    area: str
    community: str
    located_by: str
    category: str
    urgency: str
    reporter_ref: str
    is_confidential: bool
    wants_reply: bool
    received_at: datetime
    merged_into: str | None = None
    reason: str | None = None
    reply: str | None = None
    case_no: str | None = None
    case_sequence: int = 0
    version: int = 1

    @property
    def is_open(self) -> bool:
        """Whether near reports may join it."""
        return self.status in OPEN


class Stance(StrEnum):
    """What is decided about a report as it arrives."""

    ACCEPT = "accept"
    REJECT = "reject"
    WAIT = "wait"


def report_code(number: int, now: datetime) -> str:
    """The code of the `number`-th report: `BG20230914-000123`, the day in Asia/Shanghai."""
    return f"BG{now.astimezone(SHANGHAI):%Y%m%d}-{number:06d}"


def stance(urgency: str, *, is_trusted: bool, is_for_others: bool) -> Stance:
    """Accepted, rejected, or left for an operator (domain model 3.3.1).

    `is_trusted`: the publisher, the channel or a grid worker's own report needs no verification;
    `is_for_others`: a rule of the site says that the matter belongs elsewhere. An emergency is never turned away by
    a keyword and never waits.
    """
    if urgency == "emergency":
        return Stance.ACCEPT
    if is_for_others:
        return Stance.REJECT
    return Stance.ACCEPT if is_trusted else Stance.WAIT


def allowed(status: ReportStatus) -> list[str]:
    """The commands that a state allows."""
    return [command.value for command, (sources, _) in MOVES.items() if status in sources]


def move(report: Report, command: Command, **changes: Any) -> Report:
    """The report after `command`, with further `changes`. Raises `Conflict` (`report.move_forbidden`)."""
    sources, target = MOVES[command]
    if report.status not in sources:
        raise Conflict(
            "report.move_forbidden",
            "诉求当前状态不能这样操作",
            f"{command} is not possible from {report.status}",
            extra={"allowed": allowed(report.status), "report_status": report.status.value},
        )
    return replace(report, status=target, version=report.version + 1, **changes)


def require_own_decision(report: Report) -> None:
    """Refuse to decide about a report that follows another one."""
    if report.merged_into:
        raise Conflict(
            "report.merged",
            f"该诉求已并入 {report.merged_into}，随其办理",
            f"it was merged into {report.merged_into} and goes with it",
            extra={"allowed": [], "report_status": report.status.value, "of": report.merged_into},
        )


def mirror(report: Report, command: Command, case_no: str, sequence: int) -> Report:
    """The report after a fact of its case. A fact that a later one overtook changes nothing but an unknown number."""
    if sequence <= report.case_sequence:
        return report if report.case_no else replace(report, case_no=case_no, version=report.version + 1)
    sources, _ = MOVES[command]
    if report.status not in sources:
        return replace(report, case_no=case_no, case_sequence=sequence, version=report.version + 1)
    return move(report, command, case_no=case_no, case_sequence=sequence)


def wrong_times(incident: Incident, now: datetime) -> list[dict[str, str]]:
    """What is wrong with the incident's time: it may not lie in the future."""
    if incident.occurred_at - now > AHEAD:
        return [{"field": "occurred_at", "message": f"lies in the future: it is {now.isoformat()}"}]
    return []


def wrong_points(incident: Incident) -> list[dict[str, str]]:
    """What is wrong with the incident's point: half of it is missing."""
    if (incident.lng is None) == (incident.lat is None):
        return []
    missing = "lng" if incident.lng is None else "lat"
    return [{"field": f"location.{missing}", "message": "a point needs lng and lat"}]


def wrong_channels(channel: str, channels: Collection[str]) -> list[dict[str, str]]:
    """What is wrong with the channel: the sender may not use it."""
    if channel in channels:
        return []
    return [{"field": "channel", "message": f"{channel} is not allowed here; allowed: {_listed(channels)}"}]


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words)) or "none"
