"""Says what can go wrong, in one tree, and tells a refusal from a fault.

    WanggeError
    ├── Refusal            a rule said no: an answer, not a failure (RFC 9457 problem for HTTP)
    │   ├── Unauthenticated  401
    │   ├── Forbidden        403
    │   ├── NotFound         404
    │   ├── Conflict         409
    │   ├── Stale            412
    │   ├── TooLarge         413
    │   ├── Invalid          422  carries every wrong field
    │   ├── TooMany          429
    │   └── Backpressure     503
    └── Fault              something failed
        ├── Temporary        worth another try later: a lock, a serialization failure, a dependency away
        ├── Permanent        no try will help: bad JSON, wrong schema, a bug, a spent budget
        └── Infrastructure   the service's own database or broker is away: stop taking work, spend no attempt

Standard library only: rules in `model.py` raise refusals without touching a driver.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

FieldError = Mapping[str, str]
"""One wrong field: `{"field": "location.lng", "message": "…"}`."""


class WanggeError(Exception):
    """Root of everything this project raises on purpose."""


class Refusal(WanggeError):
    """A rule said no. `code` is stable English for programs, `zh` and `en` are for people.

    `errors` lists every wrong field; `extra` is merged into the problem document (for example `allowed`).
    """

    default_status: ClassVar[int] = 409

    def __init__(
        self,
        code: str,
        zh: str,
        en: str,
        status: int | None = None,
        errors: Iterable[FieldError] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code}: {en}")
        self.code = code
        self.zh = zh
        self.en = en
        self.status = status or self.default_status
        self.errors = tuple(dict(error) for error in errors)
        self.extra = dict(extra or {})


class Unauthenticated(Refusal):
    """Nobody we know is asking."""

    default_status = 401


class Forbidden(Refusal):
    """The asker is known, the act is not theirs."""

    default_status = 403


class NotFound(Refusal):
    """No such thing within the asker's scope."""

    default_status = 404


class Conflict(Refusal):
    """The thing's present state does not allow the act."""

    default_status = 409


class Stale(Refusal):
    """`If-Match` named a version that is no longer the current one."""

    default_status = 412


class TooLarge(Refusal):
    """The body exceeds the stated limit."""

    default_status = 413


class Invalid(Refusal):
    """The input is wrong; `errors` names every wrong field at once."""

    default_status = 422


class TooMany(Refusal):
    """Asked too often: the same may be asked again after `retry_after_seconds`."""

    default_status = 429

    def __init__(
        self,
        code: str,
        zh: str,
        en: str,
        retry_after_seconds: int,
        errors: Iterable[FieldError] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code, zh, en, errors=errors, extra=extra)
        self.retry_after_seconds = retry_after_seconds


class Backpressure(Refusal):
    """Too much waits already; a later try will be taken."""

    default_status = 503


class Fault(WanggeError):
    """Something failed that no rule decided."""


class Temporary(Fault):
    """Worth another try later."""


class Permanent(Fault):
    """No further try will help. `errors` names every wrong field where the input was at fault."""

    def __init__(self, code: str, message: str, errors: Iterable[FieldError] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.errors = tuple(dict(error) for error in errors)


class Infrastructure(Fault):
    """Our own database or broker is away."""


def invalid(errors: Iterable[FieldError]) -> Invalid:
    """The usual refusal of a body: every wrong field named."""
    listed = tuple(errors)
    fields = ", ".join(error["field"] for error in listed)
    return Invalid("invalid", f"内容有误：{fields}", f"wrong fields: {fields}", errors=listed)
