"""The life of a message, every pair of command and state."""

from datetime import UTC, datetime, time

import pytest

from services.notify.contacts.model import Channel
from services.notify.messages import model
from services.notify.messages.model import MESSAGE_STATE_LABELS, MOVES, OPEN, MessageState, Outcome
from services.notify.sites.model import QuietHours, Retries, Site
from wangge.chassis.errors import Conflict

NOW = datetime(2023, 9, 14, 15, 0, tzinfo=UTC)  # 23:00 in Shanghai
MORNING = datetime(2023, 9, 14, 23, 0, tzinfo=UTC)
RETRIES = Retries(tries=3, first_seconds=1, factor=2, most_seconds=10)
SITE = Site("s", "140802002901", "社区", "r", {}, QuietHours(time(22), time(7)), RETRIES)
TAKEN = Outcome(is_delivered=True, detail="")
AWAY = Outcome(is_delivered=False, detail="HTTP 503")
REFUSED = Outcome(is_delivered=False, detail="HTTP 410", is_permanent=True)


@pytest.mark.parametrize("command", MOVES)
@pytest.mark.parametrize("state", MessageState)
def test_move_from_every_state(a_message, command, state):
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


def test_inbox_message_is_delivered_as_it_is_written(a_message):
    stored = model.store(a_message(channel=Channel.INBOX), NOW)
    assert (stored.state, stored.attempts, stored.delivered_at) == (MessageState.DELIVERED, 1, NOW)


@pytest.mark.parametrize("state", ["queued", "failed", "sent"])
def test_sending_counts_the_try(a_message, state):
    assert model.send(a_message(state, attempts=2), tries=3).attempts == 3


def test_last_try_whose_outcome_is_unknown_is_not_repeated(a_message):
    dead = model.send(a_message("sent", attempts=3), tries=3)
    assert (dead.state, dead.last_error, dead.attempts) == (MessageState.DEAD, model.OUTCOME_UNKNOWN, 3)


def test_site_that_lowers_its_tries_ends_what_has_spent_them_with_its_last_reason(a_message):
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
def test_what_comes_of_a_try(a_message, attempts, outcome, state, error):
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


def test_first_reading_counts(a_message):
    first = model.read(a_message("delivered", channel=Channel.INBOX), NOW)
    assert model.read(first, MORNING).read_at == NOW


def test_message_is_found_by_correlation_case_and_report_each_once(a_message):
    assert a_message().subjects == ["c", "1408022023091400001", "BG20230914-000001"]
    assert a_message(correlation_id="BG20230914-000001", case_no=None).subjects == ["BG20230914-000001"]
