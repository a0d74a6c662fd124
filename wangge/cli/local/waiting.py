"""Waits for a state instead of hoping: polls it, with a deadline."""

import time
from collections.abc import Callable

#: Seconds between two looks at a state that is waited for; short beside the seconds that a server takes.
POLL_SECONDS = 0.05


def wait_until(reached: Callable[[], bool], deadline_seconds: float) -> bool:
    """Poll `reached` until it is true; tell whether that happened before the deadline."""
    end = time.monotonic() + deadline_seconds
    while not reached():
        if time.monotonic() >= end:
            return False
        time.sleep(POLL_SECONDS)
    return True
