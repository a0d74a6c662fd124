"""Area codes: the name of every place, from the province to the micro-grid, and of its way over the bus.

    14 08 02 | 002 | 901 | 003 | 00
    county   street community grid micro-grid

The first six digits follow GB/T 2260, the first twelve the statistical division code; the grid adds three
digits (001-599 base 基础网格, 601-999 dedicated 专属网格, after DB6101/T 3185-2024 and CJ/T 349-2010) and the
micro-grid two. Every grid belongs to a community or village, never directly to a street.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import combinations, product


class Level(StrEnum):
    """How far down the tree an area lies; also the name of the segment that ends its code."""

    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    STREET = "street"
    COMMUNITY = "community"
    GRID = "grid"
    MICRO = "micro"


WIDTHS = {
    Level.PROVINCE: 2,
    Level.CITY: 2,
    Level.COUNTY: 2,
    Level.STREET: 3,
    Level.COMMUNITY: 3,
    Level.GRID: 3,
    Level.MICRO: 2,
}
"""Digits of each segment, outermost first: the code is cut like this into the words of a routing key."""

ENDS = {level: sum(list(WIDTHS.values())[: place + 1]) for place, level in enumerate(WIDTHS)}
"""Digits of a code that ends with each segment: 2, 4, 6, 9, 12, 15, 17."""

LEVELS_BY_LENGTH = {digits: level for level, digits in ENDS.items()}

NO_MICRO = "00"
"""The micro-grid segment of a grid that is not divided, and of a grid taken as a whole."""

NO_GRID = "600"
"""The one grid number between the base grids and the dedicated ones: it belongs to neither."""

#: Areas kept parsed: about a county's grids. Each message names one, few are named often.
CACHED_AREAS = 65_536


@dataclass(frozen=True, order=True)
class Area:
    """A place by its code of 2, 4, 6, 9, 12 or 17 digits; 15 digits mean the whole grid and become 17.

    Areas sort so that a place stands before everything inside it. Raises `ValueError` naming what is wrong.
    """

    code: str

    def __post_init__(self) -> None:
        level = _level_of(self.code)
        if level is Level.GRID:
            object.__setattr__(self, "code", self.code + NO_MICRO)
        for segment, word in zip(WIDTHS, self.words, strict=False):
            _check_segment(self.code, segment, word)

    def __str__(self) -> str:
        return self.code

    @staticmethod
    def parse(text: str) -> Area:
        """The area of a code; the same text gives the same object, so a message costs one look-up."""
        return _parsed(text)

    @classmethod
    def from_words(cls, words: Iterable[str]) -> Area:
        """The area whose routing key ends with these words; without the last one they name the whole grid."""
        words = tuple(words)
        if len(words) > len(WIDTHS):
            raise ValueError(f"area has {len(words)} words, at most {len(WIDTHS)} are allowed")
        for (segment, width), word in zip(WIDTHS.items(), words, strict=False):
            if len(word) != width:
                raise ValueError(f"area words: {segment} must have {width} digits, has {len(word)}")
        return cls.parse("".join(words))

    @cached_property
    def level(self) -> Level:
        """What kind of place this is; 17 digits are a grid where the micro-grid is 00."""
        if self.code[ENDS[Level.GRID] :] == NO_MICRO:
            return Level.GRID
        return LEVELS_BY_LENGTH[len(self.code)]

    @cached_property
    def digits(self) -> str:
        """The digits that begin the code of everything inside: a grid's own code ends in micro-grid 00."""
        return self.code[: ENDS[Level.GRID]] if self.level is Level.GRID else self.code

    @property
    def parent(self) -> Area | None:
        """The place that directly contains this one; a province has none."""
        return self.parents[0] if self.parents else None

    @cached_property
    def parents(self) -> tuple[Area, ...]:
        """Every place that contains this one, the nearest first."""
        ends = [end for level, end in ENDS.items() if end < len(self.code) and level is not self.level]
        return tuple(Area.parse(self.code[:end]) for end in reversed(ends))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The code cut at its segments: `("14", "08", "02", "002", "901", "003", "00")`."""
        ends = [end for end in ENDS.values() if end <= len(self.code)]
        return tuple(self.code[start:end] for start, end in zip([0, *ends], ends, strict=False))

    @cached_property
    def routing(self) -> str:
        """The words as the tail of a routing key: `14.08.02.002.901.003.00`."""
        return ".".join(self.words)

    @property
    def community(self) -> Area | None:
        """The community or village (12 digits) this is or lies in; None above that."""
        return self._cut(Level.COMMUNITY)

    @property
    def county(self) -> Area | None:
        """The county or district (6 digits) this is or lies in; None above that."""
        return self._cut(Level.COUNTY)

    def contains(self, other: Area) -> bool:
        """Whether the other place is this one or lies inside it; a grid contains its micro-grids."""
        return other.code.startswith(self.digits)

    def _cut(self, level: Level) -> Area | None:
        end = ENDS[level]
        return Area.parse(self.code[:end]) if len(self.code) >= end else None


@lru_cache(maxsize=CACHED_AREAS)
def _parsed(text: str) -> Area:
    return Area(text)


def _level_of(code: str) -> Level:
    level = LEVELS_BY_LENGTH.get(len(code))
    if level is None:
        raise ValueError(f"area code has {len(code)} characters; allowed are 2, 4, 6, 9, 12, 15 or 17 digits")
    if not (code.isascii() and code.isdigit()):
        raise ValueError(f"area code {code!r}: only the digits 0-9 are allowed")
    return level


def _check_segment(code: str, segment: Level, word: str) -> None:
    if segment is not Level.MICRO and not int(word):
        raise ValueError(f"area code {code!r}: {segment} must not be {word}")
    if segment is Level.GRID and word == NO_GRID:
        raise ValueError(
            f"area code {code!r}: grid must be 001-599 (base) or 601-999 (dedicated), not {NO_GRID}"
        )


def overlapping(codes: Iterable[str], others: Iterable[str] | None = None) -> list[tuple[str, str]]:
    """Pairs of areas of which one lies in the other or is the same; among `codes`, or between them and `others`."""
    own = [Area.parse(code) for code in codes]
    pairs = combinations(own, 2) if others is None else product(own, [Area.parse(code) for code in others])
    return [(one.code, other.code) for one, other in pairs if one.contains(other) or other.contains(one)]
