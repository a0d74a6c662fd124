"""Knows the parts of a case: which unit leads or assists and how far it is, and the clock of each stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.dispatch.calendars.model import Clock


class Stage(StrEnum):
    """What a clock of a case counts."""

    CLAIM = "claim"
    HANDLE = "handle"
    CHECK = "check"


WATCHED = frozenset({Stage.HANDLE, Stage.CHECK})
"""The stages whose missed deadline is told."""


@dataclass(frozen=True, slots=True)
class StageClock:
    """The `number`-th clock of a stage. `overdue_at`: when its missed deadline was told, once."""

    stage: Stage
    number: int
    clock: Clock
    overdue_at: datetime | None = None

    @property
    def is_running(self) -> bool:
        """Whether its stage is not over."""
        return self.clock.finished_at is None


def latest(clocks: Iterable[StageClock], stage: Stage) -> StageClock | None:
    """The last clock of a stage."""
    return max((each for each in clocks if each.stage is stage), key=lambda c: c.number, default=None)


def with_clock(clocks: tuple[StageClock, ...], stage: Stage, clock: Clock) -> tuple[StageClock, ...]:
    """The clocks with a new one of this stage; an earlier one of it that still runs is over."""
    last = latest(clocks, stage)
    number = last.number + 1 if last else 1
    return (*finished(clocks, stage, clock.started_at), StageClock(stage, number, clock))


def finished(clocks: tuple[StageClock, ...], stage: Stage, at: datetime) -> tuple[StageClock, ...]:
    """The clocks with those of this stage stopped."""
    return tuple(
        replace(each, clock=each.clock.finish(at)) if each.stage is stage and each.is_running else each
        for each in clocks
    )


class PartState(StrEnum):
    """How far a unit is with its part of a case."""

    SENT = "sent"
    CLAIMED = "claimed"
    DONE = "done"
    EXCUSED = "excused"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A unit's part in one round of a case: it leads or it assists. A reopening begins a new round."""

    round: int
    unit: str
    is_lead: bool
    state: PartState
    sent_at: datetime
    claimed_at: datetime | None = None
    done_at: datetime | None = None
    result: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether the unit still owes its part."""
        return self.state not in (PartState.DONE, PartState.EXCUSED)


def sent(number: int, lead: str, assist: Iterable[str], at: datetime) -> tuple[Assignment, ...]:
    """The parts of a round that begins: one lead, and each assist unit once."""
    units = dict.fromkeys([lead, *assist])
    return tuple(Assignment(number, unit, unit == lead, PartState.SENT, at) for unit in units)


def with_part(assignments: Iterable[Assignment], part: Assignment) -> tuple[Assignment, ...]:
    """The assignments with this one in the place of its unit's, or added."""
    key = (part.round, part.unit)
    others = tuple(each for each in assignments if (each.round, each.unit) != key)
    return (*others, part)
