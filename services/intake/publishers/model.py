"""Decides who a message is from, and knows what each publisher may send."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from wangge.chassis.errors import Permanent

PUBLISHER = "publisher"
"""The one role of a principal who came with an API key."""

UNKNOWN = "unknown"
"""Whose receipts nobody reads: of messages that cannot be traced to a publisher."""


class PublisherStatus(StrEnum):
    """Whether the publisher may still send."""

    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Publisher:
    """An outside system. `source` is the CloudEvents source that it writes, `login` its RabbitMQ user."""

    login: str
    site: str
    source: str
    name: str
    channels: frozenset[str]
    areas: tuple[str, ...]
    is_user_id_required: bool
    is_auto_accepted: bool
    api_key_sha256: str | None
    status: PublisherStatus = PublisherStatus.ACTIVE

    @property
    def ref(self) -> str:
        """The publisher as a reference."""
        return f"publisher:{self.login}"


@dataclass(frozen=True, slots=True)
class Publishers:
    """The active publishers, found by login, by source and by the digest of their API key."""

    by_login: Mapping[str, Publisher]
    by_source: Mapping[str, Publisher]
    by_key: Mapping[str, Publisher]

    def of(self, ref: str) -> Publisher | None:
        """The publisher of a reference such as `publisher:hotline12345`."""
        return self.by_login.get(ref.removeprefix("publisher:"))


def ended(publisher: Publisher) -> Publisher:
    """The publisher once its site no longer lists it."""
    return replace(publisher, status=PublisherStatus.ENDED)


def identify(origin: str, source: str, known: Publishers) -> Publisher:
    """Who sent a message: the login that the broker vouches for (`origin`), or else the publisher of its `source`.

    Raises `Permanent`: nobody we know, a login that writes another's source, or no login where one is required.
    """
    publisher = known.by_login.get(origin) if origin else known.by_source.get(source)
    if publisher is None:
        raise _wrong("publisher.unknown", "source", f"no publisher {origin or source} is registered")
    if publisher.source != source:
        raise _wrong("publisher.wrong_source", "source", f"{publisher.login} writes {publisher.source}")
    if not origin and publisher.is_user_id_required:
        raise _wrong("publisher.user_id_missing", "user_id", f"{publisher.login} must set the AMQP user_id")
    return publisher


def answer_to(origin: str, source: str, known: Publishers) -> str:
    """The login to which the receipt of a message goes, whatever is wrong with the message."""
    if origin:
        return origin
    publisher = known.by_source.get(source)
    return publisher.login if publisher else UNKNOWN


def _wrong(code: str, field: str, message: str) -> Permanent:
    return Permanent(code, message, [{"field": field, "message": message}])
