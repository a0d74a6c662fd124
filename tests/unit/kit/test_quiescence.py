"""Waiting ends when a system is done, and tells what it stands at when it is not."""

from datetime import UTC, datetime

import pytest
from kit.ledger import Ledger
from kit.quiescence import checked, nothing_lost_nothing_doubled, quiescence
from kit.reading import Pulse
from kit.records import Heard, Records, ServiceRecords, Told

START = datetime(2025, 1, 1, tzinfo=UTC)
LISTENERS = {"case.closed.v1": ("notify",)}


class Reader:
    """A system that moves one step at each look."""

    def __init__(self, *steps):
        self._steps = list(steps)

    def pulse(self):
        heard, pending = self._steps[0] if len(self._steps) == 1 else self._steps.pop(0)
        self._heard, self._pending = heard, pending
        return Pulse(pending=pending, deferred=0, heard=heard, told=1, queued=0)

    def read(self):
        heard = (Heard("c-1", "case.closed.v1", START),) * self._heard
        told = Told("c-1", "case.closed.v1", "dispatch", "C1", "C1", 1, is_published=not self._pending)
        services = {"dispatch": ServiceRecords(told=(told,)), "notify": ServiceRecords(heard=heard)}
        return Records(services, LISTENERS, is_answered=False)


def test_a_system_that_is_done_is_read():
    records = quiescence(Reader((0, 1), (0, 0), (1, 0)), Ledger(), seconds=5)
    assert [mark.event_id for mark in records.services["notify"].heard] == ["c-1"]


def test_a_system_that_stands_still_says_what_it_stands_at():
    with pytest.raises(AssertionError, match="stands still") as failed:
        quiescence(Reader((0, 0)), Ledger(), seconds=30, still=0.4)
    assert "notify never processed case.closed.v1" in str(failed.value)


def test_a_system_that_is_not_done_in_time_says_so():
    with pytest.raises(AssertionError, match="did not come to rest in time") as failed:
        quiescence(Reader((0, 1)), Ledger(), seconds=0.4)
    assert "in the outbox of dispatch, unpublished" in str(failed.value)


def test_what_was_checked_is_noted_in_numbers():
    nothing_lost_nothing_doubled(Reader((1, 0)), Ledger(), seconds=5)
    assert checked == ["0 messages sent, 1 facts committed, 1 events processed, 0 parked"]
