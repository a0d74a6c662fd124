"""Knows what a case is: its states, the table of moves (domain model 3.3.2), and what each move leaves behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from services.dispatch.calendars.model import Limit
from services.dispatch.cases.parts import WATCHED, Assignment, Stage, StageClock, latest
from services.dispatch.categories.model import ClockFrom


class CaseState(StrEnum):
    """Where a case is in its life."""

    FILED = "filed"
    DISPATCHED = "dispatched"
    CLAIMED = "claimed"
    HANDLING = "handling"
    SUSPENDED = "suspended"
    HANDLED = "handled"
    CHECKING = "checking"
    CLOSED = "closed"
    ARCHIVED = "archived"
    RETURNED = "returned"
    CANCELLED = "cancelled"
    TRANSFERRED = "transferred"
    FORCED_CLOSED = "forced_closed"


ENDED = frozenset(
    {
        CaseState.CLOSED,
        CaseState.ARCHIVED,
        CaseState.CANCELLED,
        CaseState.TRANSFERRED,
        CaseState.FORCED_CLOSED,
    }
)
"""Where nobody has anything left to do; every other state is open."""

CASE_STATE_LABELS = {
    CaseState.FILED: "已立案",
    CaseState.DISPATCHED: "已派遣",
    CaseState.CLAIMED: "已领单",
    CaseState.HANDLING: "处置中",
    CaseState.SUSPENDED: "挂账",
    CaseState.HANDLED: "已反馈",
    CaseState.CHECKING: "核查中",
    CaseState.CLOSED: "已结案",
    CaseState.ARCHIVED: "已归档",
    CaseState.RETURNED: "退单",
    CaseState.CANCELLED: "作废",
    CaseState.TRANSFERRED: "移送",
    CaseState.FORCED_CLOSED: "强制结案",
}


class Command(StrEnum):
    """What somebody may do with a case."""

    DISPATCH = "dispatch"
    CLAIM = "claim"
    START = "start"
    ASSIST_DONE = "assist_done"
    FEEDBACK = "feedback"
    REJECT_FEEDBACK = "reject_feedback"
    SEND_CHECK = "send_check"
    CHECK = "check"
    CLOSE = "close"
    CLOSE_ON_SPOT = "close_on_spot"
    REOPEN = "reopen"


S, C = CaseState, Command


MOVES: dict[tuple[CaseState, Command], tuple[CaseState, ...]] = {
    (S.FILED, C.DISPATCH): (S.DISPATCHED,),
    (S.RETURNED, C.DISPATCH): (S.DISPATCHED,),
    # only from the pool: nobody was named, the first unit that claims it has it
    (S.FILED, C.CLAIM): (S.CLAIMED,),
    (S.DISPATCHED, C.CLAIM): (S.CLAIMED,),
    (S.CLAIMED, C.START): (S.HANDLING,),
    # assist units work beside the lead, so their report moves nothing
    (S.DISPATCHED, C.ASSIST_DONE): (S.DISPATCHED,),
    (S.CLAIMED, C.ASSIST_DONE): (S.CLAIMED,),
    (S.HANDLING, C.ASSIST_DONE): (S.HANDLING,),
    (S.HANDLING, C.FEEDBACK): (S.HANDLED,),
    (S.HANDLED, C.REJECT_FEEDBACK): (S.HANDLING,),
    (S.HANDLED, C.SEND_CHECK): (S.CHECKING,),
    # passed, it waits for somebody else to close it; failed, the same unit has it again and its clock runs on
    (S.CHECKING, C.CHECK): (S.CHECKING, S.HANDLING),
    (S.CHECKING, C.CLOSE): (S.CLOSED,),
    # only where the category needs no check: inquiries, errands
    (S.HANDLED, C.CLOSE): (S.CLOSED,),
    (S.FILED, C.CLOSE_ON_SPOT): (S.CLOSED,),
    # a report is dispatched as it is filed, so whoever stands there meets an order that no unit has claimed yet
    (S.DISPATCHED, C.CLOSE_ON_SPOT): (S.CLOSED,),
    (S.CLOSED, C.REOPEN): (S.DISPATCHED,),
}
"""Every allowed move: from this state, by this command, to one of these states."""


IN_HAND = frozenset({S.CLAIMED, S.HANDLING})
"""Where a second claim comes too late."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a person in their roles, for their unit."""

    person_id: str
    roles: frozenset[str] = frozenset()
    unit: str | None = None

    def has_role(self, roles: Iterable[str]) -> bool:
        """Whether one of `roles` is theirs; an `admin` has all."""
        return "admin" in self.roles or not self.roles.isdisjoint(roles)


SYSTEM = Actor("system")
"""Who acts where a rule acts by itself."""


@dataclass(frozen=True, slots=True)
class FlowRecord:
    """One line of a case's history, never changed; `seq` is the version of the case after it, so there are no gaps."""

    case_no: str
    seq: int
    op: str
    from_state: CaseState | None
    to_state: CaseState
    actor: str
    unit: str | None
    opinion: str
    receiver: str | None
    evidence: tuple[Mapping[str, Any], ...]
    at: datetime


@dataclass(frozen=True)
class Case:
    """A case. The terms of its category are those of the day it was filed; times are of the present round.

    `hands`: everybody who claimed, started or fed back in this round, the last one is the `handler`. `helpers`: person
    ids named in the feedback. `closing`: how often it was closed.
    """

    case_no: str
    report_code: str
    site: str
    area: str
    channel: str
    urgency: str
    summary: str
    location: Mapping[str, Any] | None
    reporter: str
    is_confidential: bool

    category: str
    category_name: str
    level: str
    limit: Limit
    clock_from: ClockFrom
    closing_condition: str
    on_spot_allowed: bool
    needs_check: bool
    pool: bool
    units_allowed: tuple[str, ...]

    received_at: datetime
    filed_at: datetime
    changed_at: datetime
    state: CaseState = CaseState.FILED
    version: int = 1
    round: int = 1
    dispatched_at: datetime | None = None
    claimed_at: datetime | None = None
    started_at: datetime | None = None
    handled_at: datetime | None = None
    checked_at: datetime | None = None
    closed_at: datetime | None = None
    handler: str | None = None
    hands: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()
    checker: str | None = None
    check_passed: bool = False
    closer: str | None = None
    is_on_spot: bool = False
    result: str | None = None
    reply: str | None = None
    rework_count: int = 0
    reopen_count: int = 0
    closing: int = 0
    assignments: tuple[Assignment, ...] = ()
    clocks: tuple[StageClock, ...] = ()

    @property
    def parts(self) -> tuple[Assignment, ...]:
        """The assignments of the present round."""
        return tuple(each for each in self.assignments if each.round == self.round)

    @property
    def lead(self) -> str | None:
        """The one unit that leads; nobody yet while it lies in the pool."""
        return next((each.unit for each in self.parts if each.is_lead), None)

    @property
    def assist(self) -> tuple[Assignment, ...]:
        """The parts of the units that assist."""
        return tuple(each for each in self.parts if not each.is_lead)

    @property
    def units(self) -> frozenset[str]:
        """Every unit that may see it: those that work on it or worked on it, and those that may claim it."""
        return frozenset({each.unit for each in self.assignments} | set(self.units_allowed))

    @property
    def is_emergency(self) -> bool:
        """Whether it is an emergency."""
        return self.urgency == "emergency"

    def latest(self, stage: Stage) -> StageClock | None:
        """The last clock of a stage."""
        return latest(self.clocks, stage)

    @property
    def deadline(self) -> datetime | None:
        """When the handling is due; None until its clock runs."""
        handle = self.latest(Stage.HANDLE)
        return handle.clock.deadline if handle else None

    @property
    def watched(self) -> StageClock | None:
        """The running clock whose deadline is to be told when it passes; None when it was told or nothing runs."""
        running = (each for each in self.clocks if each.stage in WATCHED and each.is_running)
        return min(
            (each for each in running if each.overdue_at is None),
            key=lambda c: c.clock.deadline,
            default=None,
        )

    @property
    def next_due_at(self) -> datetime | None:
        """The deadline that the sweep looks for."""
        return self.watched.clock.deadline if self.watched else None

    @property
    def on_time(self) -> bool | None:
        """Whether the handling met its deadline; None while it is not handled."""
        handle = self.latest(Stage.HANDLE)
        done = self.handled_at or self.closed_at
        if done is None:
            return None
        return handle is None or done <= handle.clock.deadline

    def not_before(self, now: datetime) -> datetime:
        """`now`, or the last change where another machine's clock is ahead: times of a case never run backwards."""
        return max(now, self.changed_at)


@dataclass(frozen=True, slots=True)
class Moved:
    """A case after a command, and the line of history that tells of it."""

    case: Case
    record: FlowRecord


def moved(
    case: Case,
    op: str,
    to: CaseState,
    actor: Actor,
    at: datetime,
    opinion: str = "",
    receiver: str | None = None,
    evidence: Iterable[Mapping[str, Any]] = (),
    **changes: Any,
) -> Moved:
    """The case after `op`, changed so, and the record of it."""
    after = replace(case, state=to, version=case.version + 1, changed_at=at, **changes)
    record = FlowRecord(
        case.case_no,
        after.version,
        str(op),
        case.state,
        to,
        actor.person_id,
        actor.unit,
        opinion,
        receiver,
        tuple(evidence),
        at,
    )
    return Moved(after, record)


def taken_in_hand(case: Case, actor: Actor) -> dict[str, Any]:
    """What changes when somebody lays hand on it: who handles it now."""
    hands = tuple(dict.fromkeys([*case.hands, actor.person_id]))
    return {"handler": actor.person_id, "hands": hands}
