import pytest

from services.intake.publishers.model import UNKNOWN, Publisher, Publishers, answer_to, identify
from wangge.chassis.errors import Permanent


def a_publisher(login, *, is_user_id_required=True):
    source = f"https://{login}.example"
    return Publisher(
        login, "here", source, login, frozenset({"sensor"}), ("140802",), is_user_id_required, True, None
    )


STRICT, PLAIN = a_publisher("strict"), a_publisher("plain", is_user_id_required=False)
KNOWN = Publishers(
    {each.login: each for each in (STRICT, PLAIN)}, {each.source: each for each in (STRICT, PLAIN)}, {}
)


@pytest.mark.parametrize(
    ("origin", "source", "found"),
    [
        ("strict", STRICT.source, STRICT),
        ("plain", PLAIN.source, PLAIN),
        ("", PLAIN.source, PLAIN),
        ("", STRICT.source, "publisher.user_id_missing"),
        ("", "https://nobody.example", "publisher.unknown"),
        ("nobody", PLAIN.source, "publisher.unknown"),
        ("strict", PLAIN.source, "publisher.wrong_source"),
        ("plain", "https://nobody.example", "publisher.wrong_source"),
    ],
)
def test_who_a_message_is_from(origin, source, found):
    if isinstance(found, Publisher):
        assert identify(origin, source, KNOWN) is found
    else:
        with pytest.raises(Permanent) as wrong:
            identify(origin, source, KNOWN)
        assert wrong.value.code == found
        assert wrong.value.errors


@pytest.mark.parametrize(
    ("origin", "source", "login"),
    [
        ("strict", PLAIN.source, "strict"),
        ("nobody", "", "nobody"),
        ("", STRICT.source, "strict"),
        ("", "https://nobody.example", UNKNOWN),
    ],
)
def test_whom_the_receipt_goes_to(origin, source, login):
    assert answer_to(origin, source, KNOWN) == login
