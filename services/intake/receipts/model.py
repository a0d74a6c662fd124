"""Decides what a publisher is answered to each of its messages."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a message."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    MERGED = "merged"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"
    REFUSED = "refused"
    DROPPED = "dropped"


NOT_FINAL = frozenset({Outcome.QUARANTINED, Outcome.REFUSED, Outcome.DROPPED})
"""A quarantined message may be replayed; a refused or dropped one is taken when it is sent again."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The one answer to a message. `of` is the report that it repeats or joins; `errors` name every wrong field.

    A refused one says by `code` which limit it met, and may come again from `retry_at` on.
    """

    publisher: str
    message_id: str
    outcome: Outcome
    report_code: str | None = None
    of: str | None = None
    errors: tuple[tuple[str, str], ...] = ()
    code: str | None = None
    retry_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        """Whether it stands."""
        return self.outcome not in NOT_FINAL

    @property
    def is_kept(self) -> bool:
        """Whether intake has the message, be it in quarantine; another is as if it had never been sent."""
        return self.is_final or self.outcome is Outcome.QUARANTINED


def refused(publisher: str, message_id: str, code: str, message: str, retry_at: datetime) -> Receipt:
    """The receipt of a message beyond its publisher's limits: nothing of it was kept, it may be sent again."""
    errors = (("publisher", message),)
    return Receipt(publisher, message_id, Outcome.REFUSED, errors=errors, code=code, retry_at=retry_at)


def dropped(publisher: str, message_id: str, reason: str) -> Receipt:
    """The receipt of a quarantined message that an operator gave up."""
    return Receipt(publisher, message_id, Outcome.DROPPED, errors=(("body", reason),))


def again(receipt: Receipt) -> Receipt:
    """What is answered to the same message sent again: the report that it made, or what it was told before."""
    if not receipt.is_final:
        return receipt
    return Receipt(
        receipt.publisher, receipt.message_id, Outcome.DUPLICATE, of=receipt.report_code or receipt.of
    )
