import pytest

from services.intake.receipts.quarantine import errors_of, sender_of
from wangge.chassis.delivery import Delivery
from wangge.chassis.errors import Permanent


@pytest.mark.parametrize(
    ("body", "message_id", "source"),
    [
        (b'{"id": "m1", "source": "https://a.example"}', "m1", "https://a.example"),
        (b'{"id": "", "source": 7}', "amqp-id", ""),
        (b'{"id": "' + b"x" * 129 + b'"}', "amqp-id", ""),
        (b'{"id": "m\\u0000"}', "amqp-id", ""),
        (b"not json", "amqp-id", ""),
        (b"[1, 2]", "amqp-id", ""),
        (b"\xff\xfe", "amqp-id", ""),
    ],
)
def test_what_can_be_read_of_an_unreadable_message(body, message_id, source):
    sender = sender_of(Delivery(body, message_id="amqp-id"))
    assert (sender.message_id, sender.source) == (message_id, source)


def test_a_message_without_any_id_is_named_by_its_digest():
    assert sender_of(Delivery(b"junk")).message_id.startswith("sha256:")


def test_the_sender_learns_its_own_mistakes_and_nothing_of_ours():
    wrong = Permanent("bad_data", "…", [{"field": "data.text", "message": "missing"}])
    assert errors_of(wrong) == (("data.text", "missing"),)
    assert errors_of(Permanent("bug.KeyError", "secret")) == (
        ("body", "internal error, kept for an operator"),
    )
    assert errors_of(Permanent("delivery_limit", "delivered 20 times")) == (("body", "delivered 20 times"),)


def test_long_errors_are_cut_to_the_receipts_contract():
    ((field, message),) = errors_of(Permanent("x", "y", [{"field": "f" * 999, "message": "m" * 9999}]))
    assert (len(field), len(message)) == (200, 1000)
