"""Builds messages for the tests of how they live, are handed over and are sent."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.notify.contacts.model import Channel
from services.notify.messages.model import Message, MessageState

MESSAGE = Message(
    message_id="m",
    event_id="e",
    event_type="case.closed.v1",
    correlation_id="c",
    case_no="1408022023091400001",
    report_code="BG20230914-000001",
    area="14080200290100100",
    site="s",
    recipient="person:p",
    channel=Channel.MAIL,
    template="t",
    is_urgent=False,
    title="题",
    text="文",
    state=MessageState.QUEUED,
    attempts=0,
    not_before=datetime(2023, 9, 14, 15, 0, tzinfo=UTC),
    created_at=datetime(2023, 9, 14, 15, 0, tzinfo=UTC),
)


@pytest.fixture(scope="session")
def a_message() -> Callable[..., Message]:
    """Builds a message in a state, queued for the first time unless told otherwise, with these changes."""

    def build(state: str = "queued", attempts: int = 0, **changes: Any) -> Message:
        return replace(MESSAGE, state=MessageState(state), attempts=attempts, **changes)

    return build
