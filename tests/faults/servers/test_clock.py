"""One service's machine has the wrong time by an hour: ids stay unique, deadlines follow its clock, nothing is lost."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kit.load import carry_to_the_end
from kit.waiting import eventually

from wangge.cli.local import debian

pytestmark = pytest.mark.timeout(900)  # seconds; a busy machine restarts servers slowly

PATTERN = "usr/lib/*/faketime/libfaketime.so.1"


@pytest.fixture(scope="module")
def faketime() -> str:
    """The library that gives a process another time; Debian's package."""
    found = next(Path("/").glob(PATTERN), None)
    if found is None:
        debian.install(["libfaketime"])
        found = next(Path("/").glob(PATTERN))
    return str(found)


@pytest.mark.fault(19)
@pytest.mark.parametrize("hours", [1, pytest.param(-1, marks=pytest.mark.long)])
def test_a_service_whose_clock_is_wrong_by_an_hour_still_says_everything_once(
    trial, proxied, faketime, hours
):
    """The dispatch service's machine is an hour ahead or behind, and the process is killed meanwhile."""
    wrong = {"LD_PRELOAD": faketime, "FAKETIME": f"{hours:+d}h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    proxied.stop_service("dispatch")
    proxied.start_service("dispatch", wrong)
    with trial.traffic():
        eventually(lambda: len(trial.sent) > 40, 60)
        proxied.kill_service("dispatch")
        proxied.start_service("dispatch", wrong)
    code = trial.post().json()["code"]
    case = trial.town.case_of(code, "dispatched")
    filed, received = (datetime.fromisoformat(case[at]) for at in ("filed_at", "received_at"))
    due = max(datetime.now(UTC) + timedelta(hours=hours), received)  # no case is filed before it was reported
    assert abs(filed - due) < timedelta(minutes=2)
    assert datetime.fromisoformat(case["deadline"]) > filed
    carry_to_the_end(trial.town, case["case_no"])
    proxied.stop_service("dispatch")
    proxied.start_service("dispatch")
    trial.publish(20)
    trial.verify()
    assert trial.held() == []
