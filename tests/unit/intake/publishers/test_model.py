from datetime import datetime

import pytest

from services.intake.publishers.model import (
    UNKNOWN,
    UNKNOWN_LIMITS,
    Limits,
    Publisher,
    Publishers,
    answer_to,
    day_of,
    ended,
    identify,
    may_read,
    over_pace,
    over_quota,
    rekeyed,
)
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


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-02-28T15:59:59+00:00", "2026-02-28"),
        ("2026-02-28T16:00:00+00:00", "2026-03-01"),
        ("2026-03-01T00:00:00+08:00", "2026-03-01"),
    ],
)
def test_a_day_is_one_in_shanghai(now, day):
    assert str(day_of(datetime.fromisoformat(now))) == day


@pytest.mark.parametrize("now", ["2026-12-31T00:00:00+08:00", "2026-12-31T23:59:59+08:00"])
def test_beyond_the_quota_of_a_day_one_waits_for_the_next(now):
    over = over_quota(500, datetime.fromisoformat(now))
    assert (over.code, over.retry_at.isoformat()) == ("quota.exceeded", "2027-01-01T00:00:00+08:00")
    assert over.message == "at most 500 messages a day; send it again from 2027-01-01T00:00:00+08:00 on"
    assert over.message_zh == "每天最多 500 条，请在 2027-01-01 00:00:00 之后重新发送"


def test_beyond_the_pace_one_waits_until_there_is_room():
    over = over_pace(60, datetime.fromisoformat("2026-03-01T04:00:30.5+00:00"))
    assert over.message == "at most 60 messages a minute; send it again from 2026-03-01T12:00:30+08:00 on"
    assert over.code == "pace.exceeded"


def test_who_is_not_registered_has_the_limits_of_all_strangers():
    assert KNOWN.limits_of("plain") == Limits()
    assert KNOWN.limits_of("nobody") == KNOWN.limits_of(UNKNOWN) == UNKNOWN_LIMITS


@pytest.mark.parametrize(
    ("asker", "roles", "may"),
    [
        ("publisher:plain", {"publisher"}, True),
        ("publisher:strict", {"publisher"}, False),
        ("publisher:plain", {"resident"}, False),
        ("op-1", {"intake_operator"}, True),
        ("boss", {"admin"}, True),
        ("d-1", {"dispatcher"}, False),
    ],
)
def test_who_reads_what_a_publisher_was_answered(asker, roles, may):
    assert may_read(asker, roles, "plain") is may


def test_an_ended_publisher_stays_ended_under_a_new_key():
    over = rekeyed(ended(PLAIN), "0" * 64)
    assert (over.status, over.api_key_sha256) == ("ended", "0" * 64)
