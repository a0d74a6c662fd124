"""What a test has published with the broker's confirm: what must take effect, what must be parked."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from kit.records import INCIDENT, Told

Message = Mapping[str, Any] | bytes


def key_of(message: Message) -> str:
    """The id under which a message is known: its own, or the digest of a body that bears none."""
    if isinstance(message, bytes):
        return f"sha256:{hashlib.sha256(message).hexdigest()}"
    return str(message["id"])


class Ledger:
    """The test's own account of a system: keep one for as long as the system lives, and note all that is published.

    The same message noted twice was published twice. Use it from one thread at a time or for different messages.
    """

    def __init__(self, owner: str = "external") -> None:
        self._owner = owner
        self._facts: dict[str, Told] = {}
        #: Messages that tell the same incident, whichever comes first: one is accepted, the others are its duplicates.
        self.alike: list[tuple[str, ...]] = []
        self.copies: Counter[str] = Counter()
        self.poisoned: Counter[str] = Counter()

    @property
    def facts(self) -> list[Told]:
        """Messages that must take effect, once each."""
        return list(self._facts.values())

    def good(self, *messages: Mapping[str, Any], in_order: bool = False) -> None:
        """Messages that are new; with `in_order` the effects of one key must follow in the order noted."""
        for message in messages:
            self._note(message, in_order)
            self.alike.append((key_of(message),))

    def same(self, *messages: Mapping[str, Any]) -> None:
        """Messages under ids of their own that tell one incident: all are taken, one of them makes the report."""
        for message in messages:
            self._note(message)
        self.alike.append(tuple(key_of(message) for message in messages))

    def sent_again(self, *messages: Mapping[str, Any]) -> None:
        """Copies of messages noted before, under the same id."""
        self.copies.update(key_of(message) for message in messages)

    def poison(self, *messages: Message) -> None:
        """Messages that must be parked with a reason, and take no effect."""
        self.poisoned.update(key_of(message) for message in messages)

    def mended(self, parked: Message, corrected: Mapping[str, Any]) -> None:
        """A parked message that an operator has let in again, as `corrected`: it must take effect like a good one."""
        self.poisoned -= Counter([key_of(parked)])
        self.good(corrected)

    def _note(self, message: Mapping[str, Any], in_order: bool = False) -> None:
        key = key_of(message)
        self.copies[key] += 1
        partitionkey = str(message.get("partitionkey", ""))
        self._facts[key] = Told(
            event_id=key,
            type=str(message.get("type", INCIDENT)),
            owner=self._owner,
            subject=str(message.get("subject") or partitionkey),
            partitionkey=partitionkey,
            sequence=len(self._facts) + 1 if in_order else None,
        )
