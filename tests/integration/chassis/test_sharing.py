"""Commands that come at the same time share a transaction, and each is answered and takes effect as if alone."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from kit.waiting import eventually

from wangge.chassis.sharing import AT_ONCE
from wangge.cli.token import sign


@pytest.fixture
def give(probe, servers):
    """Ask for a gift; answers the response."""
    token = {"Authorization": f"Bearer {sign(servers.keys_dir, 'm-1', roles=['maker'])}"}

    def ask(name, mood="well", seconds=0.0, **headers):
        body = {"name": name, "mood": mood, "seconds": seconds}
        headers = {"X-Correlation-ID": f"why-{name}", **token, **headers}
        return requests.post(f"{probe.http}/v1/gifts", json=body, headers=headers, timeout=20)

    return ask


@pytest.fixture
def together(give, probe):
    """Ask for several gifts while the transactions that may run are busy, so that they go together afterwards."""

    def ask(*asked, expected=(201,)):
        with ThreadPoolExecutor(40) as pool:
            busy = [pool.submit(give, f"busy-{number}", "slow", 2.0) for number in range(AT_ONCE)]
            eventually(lambda: at_work(probe) == AT_ONCE, 10)
            answers = [pool.submit(lambda one=one: give(*one[0], **one[1])) for one in asked]
            assert {one.result().status_code for one in busy} <= set(expected)
            return [answer.result() for answer in answers]

    return ask


def at_work(probe):
    """Transactions that have begun and wait for their commands."""
    idle = "SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
    return probe.sql(idle)[0]["n"]


def gift(*arguments, **headers):
    return arguments, headers


def transactions(probe):
    """How many gifts each transaction made, the busy ones apart."""
    made = probe.sql("SELECT xmin::text AS tx, name FROM thing WHERE name NOT LIKE 'busy%%'")
    return Counter(row["tx"] for row in made)


def names(probe):
    return sorted(row["name"] for row in probe.sql("SELECT name FROM thing WHERE name NOT LIKE 'busy%%'"))


def test_commands_that_come_at_the_same_time_share_a_transaction(probe, together):
    answers = together(*(gift(f"g{number}") for number in range(20)))
    assert [(one.status_code, one.json()["name"]) for one in answers] == [(201, f"g{n}") for n in range(20)]
    assert sorted(transactions(probe).values()) == [20]
    noted = [row["what"] for row in probe.sql("SELECT what FROM mended")]
    assert sum(note.startswith("20 gifts") for note in noted) == 1


def test_each_fact_names_the_request_that_caused_it(probe, together):
    together(*(gift(f"g{number}") for number in range(5)))
    told = probe.sql(
        "SELECT subject, body::jsonb ->> 'correlationid' AS why FROM outbox WHERE subject LIKE 'g%%'"
    )
    assert {row["subject"]: row["why"] for row in told} == {
        f"g{number}": f"why-g{number}" for number in range(5)
    }


def test_a_refusal_concerns_whoever_asked_alone(probe, together):
    answers = together(gift("g1"), gift("g2", "no"), gift("g3"))
    assert [one.status_code for one in answers] == [201, 409, 201]
    assert answers[1].headers["X-Correlation-ID"] == "why-g2"
    assert sorted(transactions(probe).values()) == [2]


def test_where_one_fails_the_others_take_effect_once_all_the_same(probe, together):
    answers = together(gift("g1"), gift("g2", "bug"), gift("g3"))
    assert [one.status_code for one in answers] == [201, 500, 201]
    assert names(probe) == ["g1", "g3"]
    assert sorted(transactions(probe).values()) == [1, 1]
    told = probe.sql("SELECT subject FROM outbox WHERE subject LIKE 'g%%' ORDER BY subject")
    assert [row["subject"] for row in told] == ["g1", "g3"]


def test_two_that_cannot_both_be_are_told_so_each(probe, together):
    answers = together(gift("g1"), gift("g1"), gift("g2"))
    assert sorted(one.status_code for one in answers) == [201, 201, 503]
    assert names(probe) == ["g1", "g2"]


def test_a_refused_command_may_be_sent_again_under_its_key(probe, give, together):
    key = {"Idempotency-Key": "k1"}
    answers = together(gift("g1"), gift("g2", "no", **key), gift("g3", **{"Idempotency-Key": "k2"}))
    assert [one.status_code for one in answers] == [201, 409, 201]
    assert give("g3", **{"Idempotency-Key": "k2"}).headers["Idempotent-Replay"] == "true"
    assert probe.sql("SELECT key FROM idempotency_key") == [{"key": "k2"}]
    assert names(probe) == ["g1", "g3"]


def test_commands_whose_database_goes_away_are_told_so_and_have_no_effect(probe, together, give):
    with ThreadPoolExecutor(1) as pool:
        slow = [gift(f"g{number}", "slow", 0.5) for number in range(5)]
        asked = pool.submit(together, *slow, expected=(201, 503))
        eventually(lambda: len(probe.sql("SELECT 1 FROM thing WHERE name LIKE 'busy%%'")) == AT_ONCE, 10)
        eventually(lambda: at_work(probe) > 0, 10)
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        assert probe.sql(end)
        answers = asked.result()
    assert {one.status_code for one in answers} == {503}
    assert names(probe) == []
    assert give("g1").status_code == 201
