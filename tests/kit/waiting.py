"""Waits for a state, never for luck."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Seconds between looks.
STEP = 0.05


def eventually(look: Callable[[], T], seconds: float = 20.0, step: float = STEP) -> T:
    """What `look` answers once it is true. An AssertionError that `look` raises counts as not yet."""
    until = time.monotonic() + seconds
    while True:
        try:
            found = look()
            if found:
                return found
            why = f"answered {found!r}"
        except AssertionError as not_yet:
            why = str(not_yet)
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds} s: {look.__doc__ or why}")
        time.sleep(step)
