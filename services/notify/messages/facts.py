"""Says what the facts about a message carry."""

from __future__ import annotations

from typing import Any

from services.notify.messages.model import Message
from wangge.chassis.transaction import Transaction


def fact_of(message: Message, tx: Transaction) -> dict[str, Any]:
    """The data of `message.delivered` and, with a reason added, of `message.failed`."""
    return {
        "message_id": message.message_id,
        "event_id": message.event_id,
        "recipient": message.recipient,
        "channel": message.channel,
        "template": message.template,
        "attempt": message.attempts,
        "area": message.area,
        "at": tx.now,
    }
