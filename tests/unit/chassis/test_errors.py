import psycopg2
import pytest
import redis
import requests
from sqlalchemy import exc

from wangge.chassis.errors import Conflict, Infrastructure, Permanent, Refusal, Temporary, invalid
from wangge.chassis.faults import classify
from wangge.chassis.held import HandlerTimeout, caught, delay, fingerprint


class _Orig(Exception):
    def __init__(self, pgcode=None):
        super().__init__("text")
        self.pgcode = pgcode


def database_error(kind, code=None, lost=False):
    return kind("SELECT 1", {}, _Orig(code), connection_invalidated=lost)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (database_error(exc.OperationalError, "40001"), Temporary),
        (database_error(exc.OperationalError, "40P01"), Temporary),
        (database_error(exc.OperationalError, "55P03"), Temporary),
        (database_error(exc.OperationalError, "57014"), Temporary),
        (database_error(exc.OperationalError), Infrastructure),
        (database_error(exc.OperationalError, "57P01"), Infrastructure),
        (database_error(exc.OperationalError, "53100"), Infrastructure),
        (database_error(exc.InternalError, "25006"), Infrastructure),
        (database_error(exc.ProgrammingError, "42501"), Infrastructure),
        (database_error(exc.ProgrammingError, "42P01", lost=True), Infrastructure),
        (exc.TimeoutError("pool"), Infrastructure),
        (database_error(exc.IntegrityError, "23505"), Temporary),
        (database_error(exc.ProgrammingError, "42P01"), Permanent),
        (redis.ConnectionError("gone"), Temporary),
        (requests.ConnectionError("gone"), Temporary),
        (KeyError("bug"), Permanent),
        (HandlerTimeout(), Temporary),
    ],
)
def test_every_exception_has_its_place_in_the_tree(error, kind):
    assert type(caught(error)) is kind


def test_a_refusal_and_a_fault_stay_what_they_are():
    refusal = Conflict("a.b", "不", "no")
    assert classify(refusal) is refusal
    fault = Temporary("later")
    assert classify(fault) is fault


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(1)])
def test_the_end_of_the_process_is_never_swallowed(end):
    with pytest.raises(type(end)):
        caught(end)


def test_an_invalid_input_names_every_field():
    refusal = invalid([{"field": "a", "message": "x"}, {"field": "b.c", "message": "y"}])
    assert (refusal.status, [error["field"] for error in refusal.errors]) == (422, ["a", "b.c"])
    assert "a, b.c" in str(refusal)


def test_each_refusal_has_its_status():
    assert {kind.__name__: kind.default_status for kind in Refusal.__subclasses__()} == {
        "Unauthenticated": 401,
        "Forbidden": 403,
        "NotFound": 404,
        "Conflict": 409,
        "Stale": 412,
        "TooLarge": 413,
        "Invalid": 422,
        "TooMany": 429,
        "Backpressure": 503,
    }


def test_retries_wait_longer_each_time_up_to_a_limit():
    waits = [[delay(attempt).total_seconds() for _ in range(50)] for attempt in range(1, 13)]
    assert all(0.5 * 2 ** (n - 1) <= wait <= 2 ** (n - 1) for n in range(1, 9) for wait in waits[n - 1])
    assert all(150 <= wait <= 300 for wait in waits[11])


def test_faults_of_one_kind_share_a_fingerprint():
    one = fingerprint("bad_data", "a.b.v1", [{"field": "x", "message": "1"}, {"field": "y", "message": "2"}])
    same = fingerprint("bad_data", "a.b.v1", [{"field": "y", "message": "3"}, {"field": "x", "message": "4"}])
    other = fingerprint("bad_data", "a.b.v1", [{"field": "x", "message": "1"}])
    assert one == same != other


def test_psycopg2_really_names_the_codes_we_rely_on():
    assert psycopg2.errors.SerializationFailure is psycopg2.errors.lookup("40001")
    assert psycopg2.errors.ReadOnlySqlTransaction is psycopg2.errors.lookup("25006")
