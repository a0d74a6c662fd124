"""How messages leave the house: webhooks and mail, tried again, given up, and never held up by each other."""

import hashlib
import hmac
import signal
import time

from kit.waiting import eventually

from services.notify.messages.channels import signature

CLOSED = [{"event": "case.closed", "template": "reply", "to": ["reporters"]}]


def a_hook(town, receiver, path="/hook", secret=None):
    """A reporter who is answered by webhook; answers the reference."""
    ref = f"publisher:{town.key}-app"
    town.apply(contacts=[town.contact(ref, ("webhook", f"{receiver.url}{path}"), secret=secret)])
    return ref


def facts(bus, message):
    return [event["type"] for event in bus.about(message)]


def test_webhook_gets_the_message_signed_with_the_contacts_secret(town, receiver):
    ref = a_hook(town, receiver, secret="between-us")
    event = town.closed([ref])
    message = town.one(event, "webhook", "delivered")
    (call,) = receiver.at("/hook")
    assert call.json["text"] == "墙体已修复。"
    assert (call.json["message_id"], call.json["event_id"]) == (message["message_id"], event["id"])
    assert (call.json["case_no"], call.json["recipient"]) == (event["data"]["case_no"], ref)
    assert call.headers["Wangge-Message-Id"] == message["message_id"]
    parts = dict(part.split("=") for part in call.headers["Wangge-Signature"].split(","))
    signed = f"{parts['t']}.".encode() + call.body
    assert parts["v1"] == hmac.new(b"between-us", signed, hashlib.sha256).hexdigest()
    assert abs(int(parts["t"]) - time.time()) < 60
    assert call.headers["Wangge-Signature"] == signature("between-us", call.body, int(parts["t"]))


def test_new_message_is_sent_at_once_though_nobody_looks_for_due_ones(town, receiver, notify):
    ref = a_hook(town, receiver)
    notify.stop()
    notify.start(WANGGE_DELIVERY_LOOK_SECONDS="600")
    town.one(town.closed([ref]), "webhook", "delivered")
    assert len(receiver.at("/hook")) == 1
    notify.stop()
    notify.start()


def test_webhook_that_was_down_gets_the_message_once_when_it_is_up(town, receiver, notify, bus):
    receiver.answers["/hook"] = [503, 429, 200]
    message = town.one(town.closed([a_hook(town, receiver)]), "webhook", "delivered")
    tries = notify.whole(message)["deliveries"]
    assert [(each["outcome"], each["detail"]) for each in tries] == [
        ("failed", "HTTP 503"),
        ("failed", "HTTP 429"),
        ("delivered", ""),
    ]
    assert len({call.headers["Wangge-Message-Id"] for call in receiver.at("/hook")}) == 1
    assert message["last_error"] is None
    eventually(lambda: facts(bus, message))
    assert facts(bus, message) == ["message.delivered.v1"]
    assert len(receiver.at("/hook")) == 3


def test_webhook_that_says_no_is_given_up_at_once_and_told_on_the_bus(town, receiver, notify, bus):
    receiver.answers["/hook"] = [410]
    message = town.one(town.closed([a_hook(town, receiver)]), "webhook", "dead")
    assert (message["last_error"], message["attempts"]) == ("HTTP 410", 1)
    (told,) = eventually(lambda: bus.about(message))
    assert told["type"] == "message.failed.v1"
    assert (told["data"]["reason"], told["data"]["channel"]) == ("HTTP 410", "webhook")
    assert told["correlationid"] == message["correlation_id"]
    assert len(receiver.at("/hook")) == 1


def test_webhook_that_stays_down_is_given_up_after_the_sites_tries(town, receiver, bus):
    receiver.answers["/hook"] = [500]
    message = town.one(town.closed([a_hook(town, receiver)]), "webhook", "dead")
    assert (message["last_error"], message["attempts"]) == ("HTTP 500", 3)
    assert len(receiver.at("/hook")) == 3
    eventually(lambda: facts(bus, message))
    assert facts(bus, message) == ["message.failed.v1"]


def test_redirect_is_not_followed(town, receiver):
    receiver.answers["/hook"] = [302]
    message = town.one(town.closed([a_hook(town, receiver)]), "webhook", "dead")
    assert message["last_error"] == "HTTP 302"
    assert receiver.at("/elsewhere") == []


def test_slow_webhook_holds_up_neither_other_webhooks_nor_the_database(town, receiver, notify):
    receiver.seconds["/slow"] = 1.5
    slow, fast = f"publisher:{town.key}-slow", f"publisher:{town.key}-fast"
    contacts = [
        town.contact(slow, ("webhook", f"{receiver.url}/slow")),
        town.contact(fast, ("webhook", f"{receiver.url}/fast")),
    ]
    town.apply(contacts=contacts)
    waiting = [town.closed([slow]) for _ in range(12)]
    eventually(lambda: len(receiver.at("/slow")) >= 4)
    began = time.monotonic()
    town.one(town.closed([fast]), "webhook", "delivered")
    assert time.monotonic() - began < 1.4
    idle = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
    assert notify.sql(idle) == []
    for event in waiting:
        town.one(event, "webhook", "delivered")
    assert len(receiver.at("/slow")) == 12


def test_webhook_that_never_answers_is_cut_off_before_its_lease_ends(town, receiver, notify):
    receiver.seconds["/hook"] = 30
    ref = a_hook(town, receiver)
    message = town.one(town.closed([ref]), "webhook", "failed", "sent")
    eventually(lambda: notify.whole(message)["deliveries"][0]["outcome"])
    assert notify.whole(message)["deliveries"][0]["detail"] == "not done within 2 s"
    receiver.seconds["/hook"] = 0
    eventually(lambda: notify.whole(message)["state"] == "delivered")


def test_webhook_that_took_a_message_and_does_not_finish_its_answer_is_not_sent_it_again(town, receiver, bus):
    receiver.unfinished.add("/hook")
    message = town.one(town.closed([a_hook(town, receiver)]), "webhook", "delivered")
    eventually(lambda: facts(bus, message))
    assert len(receiver.at("/hook")) == 1
    assert facts(bus, message) == ["message.delivered.v1"]


def test_killed_while_delivering_sends_again_after_the_lease_under_the_same_message_id(
    town, receiver, notify, bus
):
    receiver.seconds["/hook"] = 1.5
    event = town.closed([a_hook(town, receiver)])
    eventually(lambda: receiver.at("/hook"))
    notify.stop(signal.SIGKILL)
    receiver.seconds["/hook"] = 0
    notify.start()
    message = town.one(event, "webhook", "delivered")
    tries = notify.whole(message)["deliveries"]
    assert [each["outcome"] for each in tries] == [None, "delivered"]
    calls = receiver.at("/hook")
    assert len(calls) == 2
    assert {call.headers["Wangge-Message-Id"] for call in calls} == {message["message_id"]}
    eventually(lambda: facts(bus, message))
    assert facts(bus, message) == ["message.delivered.v1"]


def test_stopped_while_delivering_finishes_the_delivery_first(town, receiver, notify):
    receiver.seconds["/hook"] = 1.0
    event = town.closed([a_hook(town, receiver)])
    eventually(lambda: receiver.at("/hook"))
    assert notify.stop() == 0
    notify.start()
    message = town.one(event, "webhook", "delivered")
    assert message["attempts"] == 1
    assert len(receiver.at("/hook")) == 1


def test_message_that_can_wait_waits_for_the_morning_and_an_urgent_one_does_not(town, receiver, notify):
    ref, contact = f"publisher:{town.key}-app", f"person:{town.id('contact')}"
    contacts = [
        town.contact(ref, ("webhook", f"{receiver.url}/reply")),
        town.contact(contact, ("webhook", f"{receiver.url}/order")),
    ]
    town.apply(contacts=contacts)
    town.people()
    notify.clock(set="2023-09-14T22:00:00+08:00")
    order, reply = town.dispatched(), town.closed([ref])
    urgent = next(each for each in town.told(order, channel="webhook") if each["recipient"] == contact)
    eventually(lambda: notify.whole(urgent)["state"] == "delivered")
    waiting = town.one(reply, "webhook", "queued")
    assert waiting["not_before"] == "2023-09-14T23:00:00+00:00"
    town.one(reply, "inbox", "delivered")
    notify.clock(set="2023-09-15T06:59:59+08:00")
    assert town.one(reply, "webhook", "queued")["attempts"] == 0
    assert receiver.at("/reply") == []
    notify.clock(set="2023-09-15T07:00:00+08:00")
    delivered = town.one(reply, "webhook", "delivered")
    assert delivered["delivered_at"] == "2023-09-14T23:00:00+00:00"
    assert len(receiver.at("/reply")) == 1


def test_mail_is_readable_and_says_that_a_machine_wrote_it(town, mail):
    address = f"{town.key}-reader@mail.example"
    ref = f"person:{town.id('reader')}"
    town.apply(contacts=[town.contact(ref, ("mail", address))])
    message = town.one(town.closed([ref]), "mail", "delivered")
    (letter,) = mail.to(address)
    assert letter["Subject"] == "已办结"
    assert letter.get_content().strip() == "墙体已修复。"
    assert letter["From"] == "网格 <wangge@mail.example>"
    assert letter["Message-ID"] == f"<{message['message_id']}@mail.example>"
    assert letter["Auto-Submitted"] == "auto-generated"


def test_mailbox_that_does_not_exist_is_given_up_and_a_full_one_is_tried_again(town, mail, notify):
    gone, full = f"{town.key}-gone@mail.example", f"{town.key}-full@mail.example"
    mail.refuse.update({gone: 550, full: 452})
    refs = [f"person:{town.id('gone')}", f"person:{town.id('full')}"]
    contacts = [town.contact(refs[0], ("mail", gone)), town.contact(refs[1], ("mail", full))]
    town.apply(contacts=contacts)
    dead = town.one(town.closed([refs[0]]), "mail", "dead")
    assert (dead["last_error"], dead["attempts"]) == ("SMTP 550: the recipient was refused", 1)
    event = town.closed([refs[1]])
    assert town.one(event, "mail", "failed")["last_error"] == "SMTP 452: the recipient was refused"
    mail.refuse.pop(full)
    town.one(event, "mail", "delivered")
    assert len(mail.to(full)) == 1
    assert mail.to(gone) == []


def test_address_that_was_taken_away_meanwhile_is_not_written_to(town, receiver, notify):
    ref = a_hook(town, receiver)
    notify.clock(set="2023-09-14T23:00:00+08:00")
    event = town.closed([ref])
    town.one(event, "webhook", "queued")
    town.apply(contacts=[])
    notify.clock(set="2023-09-15T08:00:00+08:00")
    assert town.one(event, "webhook", "dead")["last_error"] == "the recipient has no such address any more"
    assert receiver.calls == []
