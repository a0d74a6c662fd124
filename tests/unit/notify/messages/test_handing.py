"""Room at the courier: claimed for what may go at once, and given back for what is not carried after all."""

from datetime import timedelta

import pytest

from services.notify.contacts.model import Channel
from services.notify.messages.courier import Courier
from services.notify.messages.handing import Nobody, waker
from services.notify.messages.model import MessageState
from services.notify.messages.telling import Claims
from services.notify.settings import NotifySettings

TRIES = 3


@pytest.fixture
def courier():
    settings = NotifySettings(
        "", "wangge@mail.example", deliveries=3, deliveries_each=2, lease_seconds=30, look_seconds=1
    )
    return Courier(None, settings, {})


def test_message_for_which_there_is_room_is_on_its_way_for_the_first_time(a_message, courier):
    claims = Claims(courier)
    sent = claims.send(a_message(), TRIES)
    assert (sent.state, sent.attempts) == (MessageState.SENT, 1)
    assert claims.messages == [sent]
    assert courier.lease == timedelta(seconds=30)


def test_recipient_has_only_so_much_room_and_leaves_the_rest_to_others(a_message, courier):
    claims = Claims(courier)
    states = [claims.send(a_message(message_id=f"m{number}"), TRIES).state for number in range(3)]
    assert states == [MessageState.SENT, MessageState.SENT, MessageState.QUEUED]
    assert claims.send(a_message(message_id="m3", recipient="person:q"), TRIES).state is MessageState.SENT
    assert claims.send(a_message(message_id="m4", recipient="person:r"), TRIES).state is MessageState.QUEUED


def test_room_of_what_was_written_before_or_rolled_back_is_given_back_once(a_message, courier):
    claims = Claims(courier)
    for number in range(2):
        claims.send(a_message(message_id=f"m{number}"), TRIES)
    claims.give_up_all_but({"m1"})
    assert [message.message_id for message in claims.messages] == ["m1"]
    claims.give_up()
    claims.give_up()
    assert Claims(courier).send(a_message(message_id="m2"), TRIES).state is MessageState.SENT
    assert Claims(courier).send(a_message(message_id="m3"), TRIES).state is MessageState.SENT
    assert Claims(courier).send(a_message(message_id="m4"), TRIES).state is MessageState.QUEUED


def test_room_that_somebody_may_wait_for_wakes_the_courier(courier):
    to = ("person:p", Channel.WEBHOOK)
    waker.sleep(0)
    courier.claim(to)
    courier.give_up(to)
    assert not waker._signal.ready()
    courier.claim(to)
    courier.claim(to)
    courier.give_up(to)
    assert waker._signal.ready()
    waker.sleep(0)


def test_without_a_courier_everything_is_queued(a_message):
    message = a_message()
    assert Claims(Nobody()).send(message, TRIES) == message
