"""Named points at which a fault test makes this process die, stop, fail or wait.

`WANGGE_FAILPOINTS="inbox.committed=kill@3;relay.confirmed=sleep:2"`: the third time the process reaches
`inbox.committed` it kills itself; each time it reaches `relay.confirmed` it sleeps two seconds, its other greenlets
going on. Actions: `kill` (-9), `exit` (at once, no cleanup), `stop` (until it is continued), `raise`, `lose` (what was
asked was done, and the answer is lost), `sleep:seconds`, `block:seconds` (nothing else of the process runs meanwhile). Without `@n` a point acts each time it is reached.

Guarantee: nothing happens unless the variable is set; an unarmed point costs one comparison. A point or an action
that does not exist keeps the process from starting, so that a test with a misspelt one cannot pass.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from eventlet.patcher import original

from wangge.chassis.errors import Infrastructure
from wangge.chassis.logging import get_logger

log = get_logger(__name__)

#: Where the chassis can be made to fail, in the order in which a message passes them.
POINTS = {
    "inbox.begun": "a batch was read, no transaction is open yet",
    "inbox.handled": "the handlers of a transaction ran, nothing is committed",
    "inbox.committed": "a transaction with its marks is committed, nothing is acknowledged",
    "consumer.acknowledged": "the acknowledgement of a batch was written to the socket",
    "relay.selected": "pending facts were selected, none is published",
    "relay.confirmed": "the broker has confirmed a round, its rows are not marked",
}

EXIT_CODE = 70


class ReachedFailpoint(Exception):
    """What `raise` raises: an error nobody foresaw, so a permanent fault."""


@dataclass(slots=True)
class _Armed:
    act: Callable[[], None]
    #: The pass at which it acts; 0 stands for each.
    at: int
    passed: int = 0

    def reached(self, point: str) -> None:
        self.passed += 1
        if self.at in (0, self.passed):
            log.warning("failpoint reached", point=point, passed=self.passed)
            self.act()


_armed: dict[str, _Armed] = {}


def reach(point: str) -> None:
    """Say that the process is at `point`; does there what was asked for."""
    if _armed and point in _armed:
        _armed[point].reached(point)


def arm(wishes: str) -> None:
    """Arm the points that `wishes` names and no others. Raises `ValueError` naming the wrong wish."""
    armed = dict(_parse(wish.strip()) for wish in wishes.split(";") if wish.strip())
    _armed.clear()
    _armed.update(armed)
    if armed:
        log.warning("failpoints armed: this process will fail on purpose", points=sorted(armed))


def _parse(wish: str) -> tuple[str, _Armed]:
    point, _, rest = wish.partition("=")
    wanted, _, at = rest.partition("@")
    name, _, argument = wanted.partition(":")
    if point not in POINTS:
        raise ValueError(f"failpoint {wish!r}: no such point; there are {', '.join(POINTS)}")
    if name not in ACTIONS:
        raise ValueError(f"failpoint {wish!r}: no such action; there are {', '.join(ACTIONS)}")
    seconds = float(argument or 0)
    return point, _Armed(lambda: ACTIONS[name](seconds), int(at or 0))


def _raise(_: float) -> None:
    raise ReachedFailpoint("raised on purpose")


def _lose(_: float) -> None:
    raise Infrastructure("lost on purpose")


ACTIONS: dict[str, Callable[[float], None]] = {
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda _: os._exit(EXIT_CODE),
    "stop": lambda _: os.kill(os.getpid(), signal.SIGSTOP),
    "raise": _raise,
    "lose": _lose,
    "sleep": time.sleep,
    "block": original("time").sleep,
}
