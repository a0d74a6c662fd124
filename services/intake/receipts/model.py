"""Decides what a publisher is answered to each of its messages."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a message."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    MERGED = "merged"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The one answer to a message. `of` is the report that it repeats or joins; `errors` name every wrong field."""

    publisher: str
    message_id: str
    outcome: Outcome
    report_code: str | None = None
    of: str | None = None
    errors: tuple[tuple[str, str], ...] = ()

    @property
    def is_final(self) -> bool:
        """Whether it stands; a quarantined message may yet be replayed."""
        return self.outcome is not Outcome.QUARANTINED


def again(receipt: Receipt) -> Receipt:
    """What is answered to the same message sent again: the report that it made, or that it is still quarantined."""
    if not receipt.is_final:
        return receipt
    return Receipt(
        receipt.publisher, receipt.message_id, Outcome.DUPLICATE, of=receipt.report_code or receipt.of
    )
