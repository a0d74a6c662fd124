"""How long a lane waits for more messages before it begins: not at all while the others rest, longer the more they work.

A transaction of one message costs nearly what one of ten costs, and whoever comes first in the chain of services takes
the processors from those behind, who then fall back for ever. Limit: at a steady load an event may take up to
`MOST_SECONDS` longer in each service.
"""

from __future__ import annotations

#: Messages for which nobody waits for more.
ENOUGH = 32

#: Seconds that a lane waits at the least, if at all, and at the most.
LEAST_SECONDS = 0.002
MOST_SECONDS = 0.2

#: Seconds from which the wait grows: lanes that happen to meet now and then, on a quiet system, do not get to the least.
FIRST_SECONDS = 0.0005

#: What the wait grows by while others are at work; it is halved each time none is. Steeper, it overshoots: tried 1.5 and 1.3.
GROWTH = 1.2


class Patience:
    """The patience of one process's lanes."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def seconds(self, *, others_work: bool) -> float:
        """How long whoever begins now is to wait; 0 means not at all."""
        if others_work:
            self._seconds = min(MOST_SECONDS, max(FIRST_SECONDS, self._seconds * GROWTH))
        else:
            self._seconds /= 2
        return self._seconds if self._seconds >= LEAST_SECONDS else 0.0
