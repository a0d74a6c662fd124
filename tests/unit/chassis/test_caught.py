"""What a handler lets escape finds its place in the error tree, whatever hides it."""

import pytest

from wangge.chassis.errors import Permanent, Temporary
from wangge.chassis.held import HandlerTimeout, caught


def test_a_deadline_is_temporary():
    assert isinstance(caught(HandlerTimeout()), Temporary)


def test_a_deadline_behind_a_connection_that_failed_to_roll_back_is_temporary():
    with pytest.raises(ConnectionError) as failed:
        roll_back_after_a_deadline()
    assert isinstance(caught(failed.value), Temporary)
    assert "deadline" in str(caught(failed.value))


def roll_back_after_a_deadline():
    """As the driver does: the deadline strikes in a query and closes the connection, so the rollback fails."""
    try:
        raise HandlerTimeout
    finally:
        fail_to_roll_back()


def fail_to_roll_back():
    closed = OSError("connection already closed")
    raise ConnectionError("rollback failed") from closed


def test_a_bug_is_permanent():
    assert isinstance(caught(KeyError("x")), Permanent)


def test_the_end_of_the_process_is_passed_on():
    with pytest.raises(SystemExit):
        caught(SystemExit(1))
