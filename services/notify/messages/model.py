"""Decides what becomes of a message: when it may go, whether it is tried again, when it is given up.

    queued ──send──> sent ──arrive──> delivered ──read──> read        (read: inbox only)
       │              │ ├──fail──> failed ──send──> sent
       │              │ └──give_up──> dead
       └──store──> delivered   (the inbox is our own table: stored is delivered)

`sent` means given to its channel, outcome not known yet. If the outcome stays unknown past the lease (this process was
killed), it is sent again: a provider may see a message twice, and can tell by its id.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.notify.contacts.model import Channel
from services.notify.sites.model import Retries, Site
from wangge.chassis.errors import Conflict, NotFound


class MessageState(StrEnum):
    """Where a message is on its way."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    DEAD = "dead"


MESSAGE_STATE_LABELS = {
    MessageState.QUEUED: "待发送",
    MessageState.SENT: "发送中",
    MessageState.DELIVERED: "已送达",
    MessageState.READ: "已读",
    MessageState.FAILED: "失败待重试",
    MessageState.DEAD: "未能送达",
}

MOVES: dict[str, tuple[frozenset[MessageState], MessageState]] = {
    "store": (frozenset({MessageState.QUEUED}), MessageState.DELIVERED),
    # from `sent`: its lease ended and nobody knows what came of it
    "send": (frozenset({MessageState.QUEUED, MessageState.FAILED, MessageState.SENT}), MessageState.SENT),
    "arrive": (frozenset({MessageState.SENT}), MessageState.DELIVERED),
    "fail": (frozenset({MessageState.SENT}), MessageState.FAILED),
    "give_up": (frozenset({MessageState.SENT}), MessageState.DEAD),
    # from `read`: reading twice is reading
    "read": (frozenset({MessageState.DELIVERED, MessageState.READ}), MessageState.READ),
}

OPEN = (MessageState.QUEUED, MessageState.FAILED, MessageState.SENT)
"""The states in which something is still to be done."""

OUTCOME_UNKNOWN = "the outcome of the last try was never known"


@dataclass(frozen=True, slots=True)
class Message:
    """One notice to one recipient by one channel; there is at most one for an event, a recipient and a channel.

    `not_before` is by the rules' clock (quiet hours). It holds no address: that is looked up when it is sent.
    """

    message_id: str
    event_id: str
    event_type: str
    correlation_id: str
    case_no: str | None
    report_code: str | None
    area: str
    site: str
    recipient: str
    channel: Channel
    template: str
    is_urgent: bool
    title: str
    text: str
    state: MessageState
    attempts: int
    not_before: datetime
    created_at: datetime
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    last_error: str | None = None

    @property
    def subjects(self) -> list[str]:
        """What it can be found by: the correlation, the case number, the report code."""
        named = (self.correlation_id, self.case_no, self.report_code)
        return list(dict.fromkeys(each for each in named if each))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try. `detail` names the cause in words of ours, never an address or what a provider wrote."""

    is_delivered: bool
    detail: str
    is_permanent: bool = False


def earliest(site: Site, channel: Channel, is_urgent: bool, now: datetime) -> datetime:
    """When a message may go: an urgent one and the inbox, which wakes nobody, at once; others after the quiet hours."""
    return now if is_urgent or channel is Channel.INBOX else site.not_before(now)


def move(message: Message, command: str) -> Message:
    """The message after `command`. Raises `Conflict` (`message.move_forbidden`) with the allowed ones."""
    before, after = MOVES[command]
    if message.state not in before:
        allowed = [name for name, (sources, _) in MOVES.items() if message.state in sources]
        raise Conflict(
            "message.move_forbidden",
            f"消息{MESSAGE_STATE_LABELS[message.state]}，不能这样操作",
            f"not from {message.state}",
            extra={"allowed": allowed},
        )
    return replace(message, state=after)


def store(message: Message, now: datetime) -> Message:
    """An inbox message, there as soon as it is written."""
    return replace(move(message, "store"), attempts=1, delivered_at=now)


def send(message: Message, tries: int) -> Message:
    """The message on its way once more; dead when every try is spent and the last one's outcome is unknown."""
    on_its_way = move(message, "send")
    if message.attempts >= tries:
        is_unknown = message.state is MessageState.SENT
        return replace(
            move(on_its_way, "give_up"), last_error=OUTCOME_UNKNOWN if is_unknown else message.last_error
        )
    return replace(on_its_way, attempts=message.attempts + 1)


def arrive(message: Message, now: datetime) -> Message:
    """The message after its provider took it."""
    return replace(move(message, "arrive"), delivered_at=now, last_error=None)


def settle(
    message: Message, outcome: Outcome, retries: Retries, not_before: datetime, now: datetime
) -> Message:
    """The message after a try: delivered, to be tried again (not before `not_before`), or dead."""
    if outcome.is_delivered:
        return arrive(message, now)
    if outcome.is_permanent or message.attempts >= retries.tries:
        return replace(move(message, "give_up"), last_error=outcome.detail)
    return replace(move(message, "fail"), last_error=outcome.detail, not_before=not_before)


def read(message: Message, now: datetime) -> Message:
    """The inbox message after its recipient saw it; the first time counts."""
    return replace(move(message, "read"), read_at=message.read_at or now)


def unknown_message(message_id: str) -> NotFound:
    """The refusal of a message that is not there, or not for the asker."""
    return NotFound("message.not_found", "没有这条消息", f"no message {message_id}")
