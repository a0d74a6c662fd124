"""Decides who a message is from, and knows what each publisher may send and how much of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from wangge.chassis.errors import Permanent

CHINA = ZoneInfo("Asia/Shanghai")

PUBLISHER = "publisher"
"""The one role of a principal who came with an API key."""

READERS = frozenset({"admin", "intake_operator"})
"""Roles that read what any publisher was answered."""

UNKNOWN = "unknown"
"""Whose receipts nobody reads: of messages that cannot be traced to a publisher."""


class PublisherStatus(StrEnum):
    """Whether the publisher may still send."""

    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a publisher may send; None: any number.

    The quota counts the messages of a day in Asia/Shanghai that were taken or quarantined, each once; the pace whatever
    arrives within a minute, repetitions and junk too. What was refused counts for neither.
    """

    quota_per_day: int | None = None
    pace_per_minute: int | None = None


#: Of senders whom nobody registered, all under one name: enough to be found, too little to fill the quarantine.
UNKNOWN_LIMITS = Limits(pace_per_minute=600)


@dataclass(frozen=True, slots=True)
class Over:
    """Why a message is not taken now: which limit, how much it allows, when to send it again."""

    code: str
    most: int
    retry_at: datetime

    @property
    def message(self) -> str:
        """The same in a sentence."""
        span = "day" if self.code == QUOTA_EXCEEDED else "minute"
        return f"at most {self.most} messages a {span}; send it again from {self.retry_at.isoformat()} on"

    @property
    def message_zh(self) -> str:
        """The same in Chinese."""
        span = "每天" if self.code == QUOTA_EXCEEDED else "每分钟"
        return f"{span}最多 {self.most} 条，请在 {self.retry_at:%Y-%m-%d %H:%M:%S} 之后重新发送"


QUOTA_EXCEEDED = "quota.exceeded"
PACE_EXCEEDED = "pace.exceeded"


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
    limits: Limits = Limits()

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

    def limits_of(self, login: str) -> Limits:
        """How much may be sent under this login."""
        publisher = self.by_login.get(login)
        return publisher.limits if publisher else UNKNOWN_LIMITS


def day_of(now: datetime) -> date:
    """The day of an instant, where the publishers are."""
    return now.astimezone(CHINA).date()


def over_quota(quota_per_day: int, now: datetime) -> Over:
    """The day's quota is used up: the next day there is another."""
    tomorrow = datetime.combine(day_of(now) + timedelta(days=1), time(), CHINA)
    return Over(QUOTA_EXCEEDED, quota_per_day, tomorrow)


def over_pace(pace_per_minute: int, free_at: datetime) -> Over:
    """Too many within a minute: from `free_at` on there is room for some."""
    return Over(PACE_EXCEEDED, pace_per_minute, free_at.astimezone(CHINA).replace(microsecond=0))


def ended(publisher: Publisher) -> Publisher:
    """The publisher once its site no longer lists it, or an operator ended it."""
    return replace(publisher, status=PublisherStatus.ENDED)


def rekeyed(publisher: Publisher, api_key_sha256: str) -> Publisher:
    """The publisher with another API key, by its digest. An ended one stays ended."""
    return replace(publisher, api_key_sha256=api_key_sha256)


def may_read(asker: str, roles: Collection[str], login: str) -> bool:
    """Whether somebody may read what a publisher was answered: it itself, admins and intake operators."""
    is_own = asker == f"publisher:{login}" and PUBLISHER in roles
    return is_own or not READERS.isdisjoint(roles)


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
