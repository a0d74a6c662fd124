"""Failpoints do nothing unless they are armed, and exactly what is asked once they are."""

import subprocess
import sys
import time

import pytest

from wangge.chassis import failpoints
from wangge.chassis.failpoints import EXIT_CODE, ReachedFailpoint, arm, reach


@pytest.fixture(autouse=True)
def disarmed():
    yield
    arm("")


def test_an_unarmed_point_does_nothing():
    for point in failpoints.POINTS:
        reach(point)


def test_a_point_raises_each_time_it_is_reached_and_others_do_not():
    arm("inbox.begun=raise")
    for _ in range(2):
        with pytest.raises(ReachedFailpoint):
            reach("inbox.begun")
    reach("inbox.committed")


def test_a_point_may_act_at_one_pass_only():
    arm("inbox.begun=raise@2; relay.confirmed=raise@1")
    reach("inbox.begun")
    with pytest.raises(ReachedFailpoint):
        reach("inbox.begun")
    reach("inbox.begun")
    with pytest.raises(ReachedFailpoint):
        reach("relay.confirmed")


def test_a_point_may_wait():
    arm("inbox.begun=block:0.05@1;inbox.handled=sleep:0.05@1")
    started = time.monotonic()
    reach("inbox.begun")
    reach("inbox.handled")
    assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize(("action", "code"), [("kill", -9), ("exit", EXIT_CODE)])
def test_a_point_ends_its_process(action, code):
    program = (
        "from wangge.chassis.failpoints import arm, reach\n"
        f"arm('relay.confirmed={action}@2')\n"
        "reach('relay.confirmed'); print('alive', flush=True); reach('relay.confirmed'); print('still alive')"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == code
    assert "still alive" not in ended.stdout
    assert "alive" in ended.stdout


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        ("inbox.comitted=kill", "no such point; there are inbox.begun"),
        ("inbox.committed=die", "no such action; there are kill"),
        ("inbox.committed", "no such action"),
        ("inbox.committed=kill@often", "often"),
    ],
)
def test_a_misspelt_wish_is_refused(wishes, told):
    with pytest.raises(ValueError, match=told):
        arm(wishes)
