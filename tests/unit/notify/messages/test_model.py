"""The life of a message, every pair of command and state."""

from dataclasses import replace
from datetime import UTC, datetime, time

import pytest

from services.notify.contacts.model import Channel
from services.notify.messages import model
from services.notify.messages.model import MESSAGE_STATE_LABELS, MOVES, OPEN, Message, MessageState, Outcome
from services.notify.sites.model import QuietHours, Retries, Site
from wangge.chassis.errors import Conflict

NOW = datetime(2023, 9, 14, 15, 0, tzinfo=UTC)  # 23:00 in Shanghai
MORNING = datetime(2023, 9, 14, 23, 0, tzinfo=UTC)
RETRIES = Retries(tries=3, first_seconds=1, factor=2, most_seconds=10)
SITE = Site("s", "140802002901", "社区", "r", {}, QuietHours(time(22), time(7)), RETRIES)
TAKEN = Outcome(is_delivered=True, detail="")
AWAY = Outcome(is_delivered=False, detail="HTTP 503")
REFUSED = Outcome(is_delivered=False, detail="HTTP 410", is_permanent=True)


def a_message(state="queued", attempts=0, channel=Channel.MAIL, **changes):
    message = Message(
        message_id="m",
        event_id="e",
        event_type="case.closed.v1",
        correlation_id="c",
        case_no="1408022023091400001",
        report_code="BG20230914-000001",
        area="14080200290100100",
        site="s",
        recipient="person:p",
        channel=channel,
        template="t",
        is_urgent=False,
        title="题",
        text="文",
        state=MessageState(state),
        attempts=attempts,
        not_before=NOW,
        created_at=NOW,
    )
    return replace(message, **changes)


@pytest.mark.parametrize("command", MOVES)
@pytest.mark.parametrize("state", MessageState)
def test_move_from_every_state(command, state):
    sources, after = MOVES[command]
    if state in sources:
        assert model.move(a_message(state), command).state is after
        return
    with pytest.raises(Conflict) as refused:
        model.move(a_message(state), command)
    assert refused.value.code == "message.move_forbidden"
    assert refused.value.extra["allowed"] == [name for name, (froms, _) in MOVES.items() if state in froms]


def test_every_state_has_a_label_and_what_ended_is_not_open():
    assert set(MESSAGE_STATE_LABELS) == set(MessageState)
    assert set(MessageState) - set(OPEN) == {MessageState.DELIVERED, MessageState.READ, MessageState.DEAD}


def test_inbox_message_is_delivered_as_it_is_written():
    stored = model.store(a_message(channel=Channel.INBOX), NOW)
    assert (stored.state, stored.attempts, stored.delivered_at) == (MessageState.DELIVERED, 1, NOW)


@pytest.mark.parametrize("state", ["queued", "failed", "sent"])
def test_sending_counts_the_try(state):
    assert model.send(a_message(state, attempts=2), tries=3).attempts == 3


def test_last_try_whose_outcome_is_unknown_is_not_repeated():
    dead = model.send(a_message("sent", attempts=3), tries=3)
    assert (dead.state, dead.last_error, dead.attempts) == (MessageState.DEAD, model.OUTCOME_UNKNOWN, 3)


def test_site_that_lowers_its_tries_ends_what_has_spent_them_with_its_last_reason():
    dead = model.send(a_message("failed", attempts=3, last_error="HTTP 503"), tries=2)
    assert (dead.state, dead.last_error) == (MessageState.DEAD, "HTTP 503")


@pytest.mark.parametrize(
    ("attempts", "outcome", "state", "error"),
    [
        (1, TAKEN, "delivered", None),
        (3, TAKEN, "delivered", None),
        (1, AWAY, "failed", "HTTP 503"),
        (2, AWAY, "failed", "HTTP 503"),
        (3, AWAY, "dead", "HTTP 503"),
        (4, AWAY, "dead", "HTTP 503"),
        (1, REFUSED, "dead", "HTTP 410"),
    ],
)
def test_what_comes_of_a_try(attempts, outcome, state, error):
    after = model.settle(a_message("sent", attempts, last_error="before"), outcome, RETRIES, MORNING, NOW)
    assert (after.state, after.last_error) == (state, error)
    assert after.delivered_at == (NOW if state == "delivered" else None)
    assert after.not_before == (MORNING if state == "failed" else NOW)


@pytest.mark.parametrize(
    ("channel", "is_urgent", "earliest"),
    [
        (Channel.INBOX, False, NOW),
        (Channel.INBOX, True, NOW),
        (Channel.MAIL, True, NOW),
        (Channel.WEBHOOK, True, NOW),
        (Channel.MAIL, False, MORNING),
        (Channel.WEBHOOK, False, MORNING),
    ],
)
def test_only_what_can_wait_and_would_wake_somebody_waits_for_the_morning(channel, is_urgent, earliest):
    assert model.earliest(SITE, channel, is_urgent, NOW) == earliest


def test_first_reading_counts():
    first = model.read(a_message("delivered", channel=Channel.INBOX), NOW)
    assert model.read(first, MORNING).read_at == NOW


def test_message_is_found_by_correlation_case_and_report_each_once():
    assert a_message().subjects == ["c", "1408022023091400001", "BG20230914-000001"]
    assert a_message(correlation_id="BG20230914-000001", case_no=None).subjects == ["BG20230914-000001"]
