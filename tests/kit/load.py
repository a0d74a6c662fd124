"""Incidents that keep coming while something is broken, and cases that people carry to their end meanwhile."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

from kit.ledger import Ledger
from kit.town import Town
from wangge.cli.errors import CommandFailed

LOGIN = "hotline12345"
GRIDS = ("14080200290200100", "14080200290200200", "14080200290200300", "14080200290200400")

#: Seconds within which a person's command must succeed, however often it is tried.
PATIENCE_SECONDS = 90.0

#: Where a case stands before a command; once it stands elsewhere, the command was done.
BEFORE = {
    "claim": "dispatched",
    "start": "claimed",
    "feedback": "handling",
    "send_check": "handled",
    "close": "checking",
}

STEPS: list[tuple[str, str, dict[str, Any]]] = [
    ("hx-gongdian-contact", "claim", {}),
    ("hx-gongdian-contact", "start", {}),
    ("hx-shizheng-contact", "assist_done", {"result": "已围挡"}),
    ("hx-gongdian-contact", "feedback", {"result": "已加固", "helpers": ["hx-patrol-1"]}),
    ("hx-dispatcher", "send_check", {"checker": "hx-checker-1"}),
    ("hx-checker-1", "check", {"result": "pass", "note": "已加固"}),
    ("hx-operator", "close", {"reply": "电线已加固"}),
]
"""Who does what to a case of E0508 until it is closed."""


class Load:
    """Publishes incidents of one town and notes them in the ledger."""

    def __init__(self, town: Town, ledger: Ledger) -> None:
        self._town = town
        self._ledger = ledger
        self._numbers = count(1)

    def publish(self, number: int) -> list[dict[str, Any]]:
        """Publish so many new incidents, each confirmed; answers them."""
        incidents = [self.an_incident() for _ in range(number)]
        self._town.publish(LOGIN, *incidents)
        self._ledger.good(*incidents)
        return incidents

    def an_incident(self) -> dict[str, Any]:
        """One that nobody has told before."""
        number = next(self._numbers)
        return self._town.incident(
            LOGIN,
            text=f"第 {number} 件：电线垂落",
            channel="hotline_12345",
            category="E0508",
            area=GRIDS[number % len(GRIDS)],
            external_no=f"LD-{id(self):x}-{number:06d}",
        )

    @contextmanager
    def flowing(self, portion: int = 10, seconds: float = 0.3) -> Iterator[None]:
        """Publish a portion every so many seconds while the block runs."""
        with in_background(lambda: self.publish(portion), seconds):
            yield


@contextmanager
def in_background(act: Callable[[], Any], seconds: float) -> Iterator[None]:
    """Do `act` again and again while the block runs; what it raises is raised at the end."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(seconds):
            act()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run)
        try:
            yield
        finally:
            over.set()
    running.result()


def carry_to_the_end(town: Town, case_no: str) -> None:
    """Claim, start, feed back, check and close a case, trying again while a service is down."""
    for person, command, body in STEPS:
        until = time.monotonic() + PATIENCE_SECONDS
        while not _is_through(town, person, case_no, command, body):
            assert time.monotonic() < until, f"{command} of {case_no} never succeeded"
            time.sleep(0.3)


def _is_through(town: Town, person: str, case_no: str, command: str, body: dict[str, Any]) -> bool:
    with suppress(CommandFailed):
        town.command(person, case_no, command, **body)
        return True
    with suppress(CommandFailed):
        return is_done(town.case(case_no), command)  # the answer may be lost though the command was not
    return False


def is_done(case: dict[str, Any], command: str) -> bool:
    """Whether a case stands where it does after a command."""
    if command == "assist_done":
        return all(assist["state"] == "done" for assist in case["assist"])
    if command == "check":
        return case["state"] != "checking" or "close" in case["allowed"]
    return bool(case["state"] != BEFORE[command])
