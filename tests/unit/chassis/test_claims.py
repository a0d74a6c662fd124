import pytest

from wangge.chassis.claims import claim_of
from wangge.chassis.delivery import Delivery


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
    claim = claim_of(Delivery(body, message_id="amqp-id"))
    assert (claim.message_id, claim.source) == (message_id, source)


def test_a_message_without_any_id_is_named_by_its_digest():
    assert claim_of(Delivery(b"junk")).message_id.startswith("sha256:")
