"""Decides the score of a period, its colour, and who stands where on the board (domain model §3.4)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from services.points.entries.model import Sums
from services.points.rule_sets.model import RuleSet

FULL = Decimal(100)
"""No score is above it, none below 0."""


class MemberBand(StrEnum):
    """The four colours of the members' board 四色评价榜; disputes and care files have scales of their own."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    BLUE = "blue"


FLOORS = ((MemberBand.RED, Decimal(90)), (MemberBand.ORANGE, Decimal(70)), (MemberBand.YELLOW, Decimal(60)))
"""From which score a band begins: where two bands print the same bound, the higher one has it; below 60 is blue."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A member's score of a period. `base` and `award` are capped, `penalty` is not negative."""

    base: Decimal
    award: Decimal
    penalty: Decimal
    total: Decimal

    @property
    def band(self) -> MemberBand:
        """The colour."""
        return band_of(self.total)


@dataclass(frozen=True, slots=True)
class Standing:
    """A member's place on a board; equal totals share a rank and the next one is skipped (1, 2, 2, 4)."""

    person_id: str
    total: Decimal
    rank: int

    @property
    def band(self) -> MemberBand:
        """The colour."""
        return band_of(self.total)


NOTHING_EARNED = Evaluation(Decimal(0), Decimal(0), Decimal(0), Decimal(0))


def band_of(total: Decimal) -> MemberBand:
    """The colour of a score."""
    return next((band for band, floor in FLOORS if total >= floor), MemberBand.BLUE)


def evaluate(sums: Sums, rules: RuleSet) -> Evaluation:
    """clamp(0..100, min(Σ base, base_cap) + min(Σ award, award_cap) − Σ penalty), exactly."""
    base = min(sums.base, rules.base_cap)
    award = min(sums.award, rules.award_cap)
    total = max(Decimal(0), min(FULL, base + award - sums.penalty))
    return Evaluation(base, award, sums.penalty, total)


@dataclass(frozen=True, slots=True)
class Version:
    """Which state of a board something shows: `site` counts changes of its members, `board` those of its scores."""

    site: int
    board: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a board: some standings that follow one another, and how many of each colour the whole has."""

    standings: list[Standing]
    bands: dict[str, int]


def ranked(totals: Iterable[tuple[str, Decimal]]) -> list[Standing]:
    """Everybody's place, the highest first, equal ones by id."""
    return placed(sorted(totals, key=lambda each: (-each[1], each[0])), 1, 1)


def placed(totals: Iterable[tuple[str, Decimal]], first_place: int, first_rank: int) -> list[Standing]:
    """The standings of some who follow one another on a board, from the `first_place`-th on, who has `first_rank`."""
    standings: list[Standing] = []
    for place, (person_id, total) in enumerate(totals, first_place):
        before = standings[-1] if standings else None
        tied = before.rank if before and before.total == total else place
        standings.append(Standing(person_id, total, tied if before else first_rank))
    return standings


def part_of(totals: Iterable[tuple[str, Decimal]], after: tuple[Decimal, str] | None, limit: int) -> Part:
    """Up to `limit` standings of a whole board, behind `after`."""
    standings = ranked(totals)
    behind = behind_of(standings, *after) if after else standings
    return Part(behind[:limit], count_bands(standings))


def behind_of(standings: list[Standing], total: Decimal, person_id: str) -> list[Standing]:
    """Those who stand behind this total and id, whether or not somebody still stands there."""
    return [each for each in standings if (-each.total, each.person_id) > (-total, person_id)]


def count_bands(standings: Iterable[Standing]) -> dict[str, int]:
    """How many members have each colour."""
    counts = Counter(standing.band for standing in standings)
    return {band.value: counts[band] for band in MemberBand}
