"""Tells a refusal, a temporary, a permanent and an infrastructure fault apart, in one function."""

import sys

import kombu.exceptions
from amqp.exceptions import AMQPError
from sqlalchemy import exc as sa

from wangge.chassis.errors import Fault, Infrastructure, Permanent, Refusal, Temporary

#: PostgreSQL error classes and codes that a later try may get past; a key that somebody else added meanwhile (23505)
#: is known then, and a statement whose table got another column since it was prepared (0A000) is prepared anew.
TEMPORARY_CODES = frozenset({"0A000", "23505", "40001", "40P01", "55P03", "57014"})

#: The server is going, gone, full, read-only or has taken our rights away: no message is to blame.
INFRASTRUCTURE_PREFIXES = ("08", "53", "57P", "58", "25006", "42501", "F0", "XX")


def classify(error: BaseException) -> Refusal | Fault:
    """The place of any exception in the error tree; an exception that nobody foresaw is permanent (a bug)."""
    if isinstance(error, Refusal | Fault):
        return error
    if isinstance(error, sa.DBAPIError):
        return _classify_database(error)
    if isinstance(error, sa.TimeoutError):
        return Infrastructure(f"no database connection free: {error}")
    if isinstance(error, OSError) or _is_of_redis(error):  # an HTTP library's errors are OSErrors, too
        return Temporary(f"{type(error).__name__}: {error}")
    if isinstance(error, AMQPError | kombu.exceptions.KombuError):
        return Infrastructure(f"{type(error).__name__}: {error}")
    return Permanent(f"bug.{type(error).__name__}", str(error))


def _is_of_redis(error: BaseException) -> bool:
    """Whether Redis's library raised it, which is loaded only where it is used (6 MB)."""
    library = sys.modules.get("redis.exceptions")
    return library is not None and isinstance(error, library.RedisError)


def _classify_database(error: sa.DBAPIError) -> Fault:
    code = getattr(error.orig, "pgcode", None) or ""
    text = f"{code} {error.orig}".strip()
    if code in TEMPORARY_CODES:
        return Temporary(text)
    lost = error.connection_invalidated or (
        isinstance(error, sa.OperationalError | sa.InterfaceError) and not code
    )
    if lost or code.startswith(INFRASTRUCTURE_PREFIXES):
        return Infrastructure(text)
    return Permanent(f"database.{code or type(error).__name__}", text)
