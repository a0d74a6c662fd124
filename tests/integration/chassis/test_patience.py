"""While lanes of a process work, the others do more at a time; a process with little to do begins at once."""

import time

import pytest

EVENTS, EVERY_SECONDS = 160, 0.01


@pytest.fixture
def patient(probe):
    """A probe whose handlers may take long."""
    probe.stop()
    probe.start(WANGGE_HANDLER_SECONDS="20")
    return probe


def stream(probe):
    """Events of eight keys at a steady pace."""
    for number in range(EVENTS):
        probe.tell({"key": f"k{number % 8}", "number": number})
        time.sleep(EVERY_SECONDS)


def transactions(probe):
    return probe.sql("SELECT count(DISTINCT xmin::text) AS n FROM effect WHERE key LIKE 'k%%'")[0]["n"]


def numbers(probe):
    found = {}
    for row in probe.effects():
        found.setdefault(row["key"], []).append(row["number"])
    return found


def test_lanes_wait_for_more_while_another_works(patient, eventually):
    patient.tell({"key": "busy", "number": 0, "mood": "slow", "seconds": 6.0})
    stream(patient)
    eventually(lambda: len(patient.effects()) == EVENTS + 1, 30)
    assert transactions(patient) < EVENTS / 3
    found = numbers(patient)
    assert all(found[key] == sorted(found[key]) for key in found)


def test_lanes_that_work_alone_begin_at_once(patient, eventually):
    for number in range(40):
        patient.tell({"key": "k1", "number": number})
        eventually(lambda number=number: len(patient.effects()) == number + 1, 5, 0.002)
    assert transactions(patient) == 40
