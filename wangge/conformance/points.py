"""What a point of the contract is: a question to the bench, and the three answers it may have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wangge.conformance.bench import Bench


class Broken(Exception):
    """The point does not hold."""


class Skipped(Exception):
    """The point cannot be asked of this implementation."""


@dataclass(frozen=True)
class Point:
    """One point: its name in reports, and how it is looked at.

    `look` answers normally when the point holds, raises `Broken` saying what does not, or `Skipped` saying why it cannot
    be asked. Its docstring is what the point demands.
    """

    name: str
    look: Callable[[Bench], None]

    @property
    def demands(self) -> str:
        """What must hold."""
        return (self.look.__doc__ or "").strip().rstrip(".")


def require_none(wrong: Sequence[str]) -> None:
    """Raises `Broken` with what is wrong, the first five of it in words."""
    if wrong:
        shown = "; ".join(dict.fromkeys(wrong[:5]))
        raise Broken(f"{shown}{f'; and {len(wrong) - 5} more' if len(wrong) > 5 else ''}")
