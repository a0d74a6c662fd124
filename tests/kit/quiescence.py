"""Waits until a system has nothing left to do; where it stands still before, says what it stands at."""

import time

from kit.checker import check
from kit.ledger import Ledger
from kit.reading import Reader
from kit.records import Records

#: Seconds without any change after which a system that is not done counts as standing still: longer than a missed
#: heartbeat, a redelivery and the wait before a retry together.
STILL_SECONDS = 60.0

#: Seconds between looks.
STEP = 0.3


def quiescence(
    reader: Reader, ledger: Ledger, seconds: float = 240.0, still: float = STILL_SECONDS
) -> Records:
    """The records of a system that is done: nothing pending, and nothing that the checker still misses.

    Raises `AssertionError` with every difference once the system has stood still for `still` seconds, or has not
    been done within `seconds`.
    """
    until = time.monotonic() + seconds
    last, changed_at = None, time.monotonic()
    while True:
        pulse = reader.pulse()
        if pulse != last:
            last, changed_at = pulse, time.monotonic()
        if pulse.is_idle:
            records = reader.read()
            if not check(records, ledger):
                return records
        now = time.monotonic()
        if now > until or now - changed_at > still:
            raise AssertionError(_why(reader.read(), ledger, now > until, pulse))
        time.sleep(STEP)


def nothing_lost_nothing_doubled(reader: Reader, ledger: Ledger, seconds: float = 240.0) -> Records:
    """What every fault test ends with: the system comes to rest, and the checker has no complaint."""
    records = quiescence(reader, ledger, seconds)
    assert check(records, ledger) == []
    checked[:] = [_counted(records, ledger)]
    return records


checked: list[str] = []
"""What the running test has checked last, in numbers; for the report."""


def _counted(records: Records, ledger: Ledger) -> str:
    services = records.services.values()
    counts = {
        "messages sent": sum(ledger.copies.values()) + sum(ledger.poisoned.values()),
        "facts committed": sum(len(service.told) for service in services),
        "events processed": sum(len(service.heard) for service in services),
        "parked": sum(ledger.poisoned.values()),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items())


def _why(records: Records, ledger: Ledger, is_late: bool, pulse: object) -> str:
    what = "the system did not come to rest in time" if is_late else "the system stands still and is not done"
    return "\n  ".join([f"{what} ({pulse}):", *check(records, ledger)])
