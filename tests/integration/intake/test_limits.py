"""A publisher beyond its quota or pace is told so, message by message, and takes nothing from the others."""

import json
import statistics
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from kit.waiting import eventually

QUOTA = 10


@pytest.fixture
def limited(empty_town):
    """A town whose hotline has a quota of the day, and whose camera has a pace."""
    town = empty_town
    town.apply(
        publishers=[
            town.publisher(town.login, ["hotline_12345"], user_id_required=False, quota_per_day=QUOTA),
            town.publisher(town.strict, ["video"], pace_per_minute=QUOTA),
        ]
    )
    see_the_change(town)
    return town


def see_the_change(town):
    """Let a request come before the messages: the gate knows of a change one batch later."""
    assert town.intake.call("GET", "/v1/sites", **town.keyed(town.strict)).ok


def events(town, login, number, **data):
    channel = {} if login == town.login else {"channel": "video"}
    return [town.event(login, **{"text": f"垃圾 {n}", **channel, **data}) for n in range(number)]


def outcomes(town, login, sent):
    return [town.receipt(login, event)["outcome"] for event in sent]


def taken(town, login):
    rows = town.world.sql("SELECT taken FROM publisher_days WHERE publisher = %s", login)
    return [row["taken"] for row in rows]


def test_messages_beyond_the_quota_of_the_day_are_refused_with_the_limit_and_when_to_come_again(
    limited, intake
):
    intake.clock(set="2030-05-01T23:00:00+08:00")
    sent = events(limited, limited.login, QUOTA + 5, occurred_at="2030-05-01T22:00:00+08:00")
    limited.send_plainly(*sent)
    found = [limited.receipt(limited.login, event) for event in sent]
    refused = [receipt for receipt in found if receipt["outcome"] == "refused"]
    assert [receipt["outcome"] for receipt in found].count("accepted") == QUOTA
    assert len(refused) == 5
    assert {receipt["code"] for receipt in refused} == {"quota.exceeded"}
    assert {receipt["retry_at"] for receipt in refused} == {"2030-05-01T16:00:00+00:00"}
    assert {error["field"] for receipt in refused for error in receipt["errors"]} == {"publisher"}
    assert f"at most {QUOTA} messages a day" in refused[0]["errors"][0]["message"]
    assert taken(limited, limited.login) == [QUOTA]
    told = limited.queue(limited.login)
    assert sorted(receipt["message_id"] for receipt in told) == sorted(event["id"] for event in sent)


def test_a_refused_message_sent_again_the_next_day_is_taken_under_its_id(limited, intake):
    intake.clock(set="2030-05-02T23:59:00+08:00")
    sent = events(limited, limited.login, QUOTA + 3, occurred_at="2030-05-02T22:00:00+08:00")
    limited.send_plainly(*sent)
    late = [event for event in sent if limited.receipt(limited.login, event)["outcome"] == "refused"]
    assert len(late) == 3
    limited.send_plainly(late[0])
    assert [receipt["outcome"] for receipt in limited.told(limited.login, late[0], 2)] == ["refused"] * 2
    intake.clock(set="2030-05-03T00:00:10+08:00")
    limited.send_plainly(*late)
    for event in late:
        eventually(lambda event=event: limited.receipt(limited.login, event)["outcome"] == "accepted")
    times = "SELECT times, received_on FROM receipts WHERE publisher = %s AND message_id = %s"
    (row,) = limited.world.sql(times, limited.login, late[0]["id"])
    assert (row["times"], str(row["received_on"])) == (3, "2030-05-02")


def test_the_quota_is_exact_when_all_lanes_and_both_doors_bring_at_once(limited, intake, world):
    sent = events(limited, limited.login, 3 * QUOTA)
    lines = "".join(json.dumps(limited.incident(text=f"垃圾 http {n}")) + "\n" for n in range(3 * QUOTA))
    headers = {**limited.keyed(limited.login), "Content-Type": "application/x-ndjson"}
    answers = []

    def post():
        url = f"{intake.url}/v1/reports/batch"
        answer = requests.post(url, lines.encode(), headers=headers, timeout=60)
        answers.extend(json.loads(line) for line in answer.text.splitlines())

    posting = threading.Thread(target=post)
    posting.start()
    limited.send_spread(*sent)
    posting.join()
    bus = outcomes(limited, limited.login, sent)
    assert bus.count("accepted") + [answer["outcome"] for answer in answers].count("accepted") == QUOTA
    assert set(bus) <= {"accepted", "refused"}
    reports = "SELECT count(*) AS number FROM reports WHERE sender = %s"
    assert world.sql(reports, f"publisher:{limited.login}")[0]["number"] == QUOTA
    assert taken(limited, limited.login) == [QUOTA]


def test_repetitions_do_not_use_up_the_quota_and_junk_does(limited):
    (event,) = events(limited, limited.login, 1)
    limited.send_plainly(*[event] * 5)
    limited.told(limited.login, event, 5)
    assert taken(limited, limited.login) == [1]
    junk = [{**limited.event(limited.login), "type": "incident.reported.v9"} for _ in range(QUOTA + 10)]
    limited.send_plainly(*junk)
    found = outcomes(limited, limited.login, junk)
    assert "quarantined" in found
    eventually(lambda: taken(limited, limited.login)[0] >= QUOTA)
    (after,) = events(limited, limited.login, 1)
    limited.send_plainly(after)
    assert outcomes(limited, limited.login, [after]) == ["refused"]
    limited.send_plainly(event)
    assert limited.told(limited.login, event, 6)[5]["outcome"] == "duplicate"


def test_an_operators_replay_is_not_refused_for_want_of_quota(limited, intake):
    bad = limited.event(limited.login, category="X1")
    limited.send_plainly(bad)
    assert outcomes(limited, limited.login, [bad]) == ["quarantined"]
    good = events(limited, limited.login, QUOTA)
    limited.send_plainly(*good)
    assert outcomes(limited, limited.login, good).count("refused") == 1
    bad["data"]["category"] = "C0137"
    (row,) = limited.world.sql("SELECT id FROM held_event WHERE event_id = %s", bad["id"])
    body = {"body": json.dumps(bad), "reason": "told by telephone"}
    assert intake.call("POST", f"/v1/held/{row['id']}/edit", limited.admin, body).ok
    assert intake.call("POST", f"/v1/held/{row['id']}/replay", limited.admin, {}).ok
    eventually(lambda: limited.receipt(limited.login, bad)["outcome"] == "accepted")


def test_messages_beyond_the_pace_are_refused_and_cost_no_report(limited):
    sent = events(limited, limited.strict, 3 * QUOTA)
    limited.send_vouched(limited.strict, *sent)
    found = [limited.receipt(limited.strict, event) for event in sent]
    refused = [receipt for receipt in found if receipt["outcome"] == "refused"]
    assert QUOTA <= len(found) - len(refused) < 2 * QUOTA  # the window may move meanwhile
    assert {receipt["code"] for receipt in refused} == {"pace.exceeded"}
    assert f"at most {QUOTA} messages a minute" in refused[0]["errors"][0]["message"]
    reports = limited.world.sql("SELECT 1 FROM reports WHERE sender = %s", f"publisher:{limited.strict}")
    assert len(reports) == len(found) - len(refused)


def test_junk_beyond_the_pace_is_not_even_kept(limited):
    ids = [f"junk-{uuid.uuid4().hex}" for _ in range(3 * QUOTA)]
    uri = limited.world.publisher_uri(limited.strict)
    for message_id in ids:
        limited.send(uri, b"not json", user_id=limited.strict, message_id=message_id)
    found = outcomes(limited, limited.strict, ids)
    kept = limited.world.sql("SELECT 1 FROM held_event WHERE sender = %s", limited.strict)
    assert len(kept) == found.count("quarantined") < 2 * QUOTA
    assert found.count("refused") == len(ids) - len(kept)


def test_a_known_message_beyond_the_pace_is_still_answered_with_its_report(limited):
    (first,) = events(limited, limited.strict, 1)
    limited.send_vouched(limited.strict, first)
    assert outcomes(limited, limited.strict, [first]) == ["accepted"]
    limited.send_vouched(limited.strict, *[first] * (3 * QUOTA))
    told = limited.told(limited.strict, first, 3 * QUOTA + 1)
    assert [receipt["outcome"] for receipt in told] == ["accepted"] + ["duplicate"] * (3 * QUOTA)
    (row,) = limited.world.sql("SELECT times FROM receipts WHERE message_id = %s", first["id"])
    assert row["times"] == 3 * QUOTA + 1


def test_http_answers_429_with_retry_after_beyond_pace_and_quota(limited):
    quick = [
        limited.post(headers=limited.keyed(limited.strict), channel="video", text=f"垃圾{n}")
        for n in range(2 * QUOTA)
    ]
    refused = [answer for answer in quick if answer.status_code == 429]
    assert QUOTA <= len(quick) - len(refused) < 2 * QUOTA
    assert refused[0].json()["code"] == "pace.exceeded"
    assert 1 <= int(refused[0].headers["Retry-After"]) <= 120
    key = limited.keyed(limited.login)
    many = [limited.post(headers=key, text=f"垃圾 {n}", external_no=str(n)) for n in range(QUOTA + 1)]
    assert [answer.status_code for answer in many] == [201] * QUOTA + [429]
    again = limited.post(headers=key, text="垃圾 0", external_no="0")
    assert (again.status_code, again.json()["code"]) == (201, many[0].json()["code"])
    assert many[-1].json()["code"] == "quota.exceeded"
    assert 1 <= int(many[-1].headers["Retry-After"]) <= 86_400
    assert "每天最多" in many[-1].json()["detail"]


def test_quota_and_pace_are_exact_when_many_reports_come_one_by_one_at_the_same_time(limited):
    def bring(number):
        strict = number % 2
        key = limited.keyed(limited.strict if strict else limited.login)
        number = str(number)
        return limited.post(
            headers=key,
            channel="video" if strict else "hotline_12345",
            text=f"垃圾 {number}",
            external_no=number,
        )

    with ThreadPoolExecutor(60) as pool:
        found = list(pool.map(bring, range(6 * QUOTA)))
    for answers, code in ((found[::2], "quota.exceeded"), (found[1::2], "pace.exceeded")):
        taken_in = [answer for answer in answers if answer.status_code == 201]
        refused = [answer.json()["code"] for answer in answers if answer.status_code == 429]
        assert (len(taken_in), len(set(refused))) == (QUOTA, 1)
        assert refused == [code] * (2 * QUOTA)
        assert len({answer.json()["code"] for answer in taken_in}) == QUOTA
    assert taken(limited, limited.login) == [QUOTA]


def test_lines_of_a_batch_beyond_the_pace_are_answered_one_by_one(limited, intake):
    whole = events(limited, limited.strict, QUOTA)
    bare = [limited.incident(text=f"垃圾 {n}", channel="video") for n in range(2 * QUOTA)]
    lines = "\n".join(json.dumps(each) for each in [*bare, *whole])
    headers = {**limited.keyed(limited.strict), "Content-Type": "application/x-ndjson"}
    answer = requests.post(f"{intake.url}/v1/reports/batch", lines, headers=headers, timeout=60)
    answers = [json.loads(line) for line in answer.text.splitlines()]
    assert [each["line"] for each in answers] == list(range(1, 3 * QUOTA + 1))
    refused = [each for each in answers if each["outcome"] == "refused"]
    assert QUOTA <= 3 * QUOTA - len(refused) < 2 * QUOTA
    assert {each["code"] for each in refused} == {"pace.exceeded"}
    assert all(each["retry_at"] for each in refused)
    assert limited.receipt(limited.strict, whole[-1])["outcome"] == "refused"


def test_without_redis_the_pace_is_kept_by_each_process_alone(limited, without_redis):
    headers = {**limited.keyed(limited.strict), "Content-Type": "application/x-ndjson"}
    bare = [json.dumps(limited.incident(text=f"垃圾 {n}", channel="video")) for n in range(3 * QUOTA)]
    url = f"{without_redis.url}/v1/reports/batch"
    answer = requests.post(url, "\n".join(bare).encode(), headers=headers, timeout=60)
    outcomes = [json.loads(line)["outcome"] for line in answer.text.splitlines()]
    assert QUOTA <= outcomes.count("accepted") < 2 * QUOTA
    assert outcomes.count("refused") == 3 * QUOTA - outcomes.count("accepted")


#: Messages of the flood, and of the calm publisher in each part of the run.
FLOOD, CALM = 1500, 20
#: A calm publisher's median receipt may take this many times as long while another floods.
#: Wide, for the machine may be shared: without the gate the flood's reports would be worked off first.
BOUND = 25


def test_a_flood_beyond_the_pace_does_not_hold_up_another_publisher(limited):
    """A camera sends 1,500 messages as fast as the broker takes them; the hotline reports now and then."""
    town = limited
    town.apply(
        publishers=[
            town.publisher(town.login, ["hotline_12345"], user_id_required=False),
            town.publisher(town.strict, ["video"], pace_per_minute=QUOTA),
        ]
    )
    see_the_change(town)
    quiet = [_seconds_to_receipt(town) for _ in range(CALM)]
    flood = events(town, town.strict, FLOOD)
    flooding = threading.Thread(target=lambda: town.send_spread(*flood, login=town.strict))
    flooding.start()
    loud = [_seconds_to_receipt(town) for _ in range(CALM)]
    flooding.join()
    eventually(lambda: answered(town) == FLOOD, 200)
    ratio = statistics.median(loud) / statistics.median(quiet)
    print(
        f"median {statistics.median(quiet) * 1000:.0f} ms quiet, {statistics.median(loud) * 1000:.0f} ms in a flood"
    )
    assert ratio < BOUND


def answered(town):
    """How many messages of the camera have a receipt."""
    return town.world.sql("SELECT count(*) AS number FROM receipts WHERE publisher = %s", town.strict)[0][
        "number"
    ]


def _seconds_to_receipt(town):
    event = town.event(town.login, text=f"路灯 {uuid.uuid4().hex}")
    started = time.monotonic()
    town.send_plainly(event)
    found = (
        "SELECT 1 FROM outbox WHERE type = 'receipt.issued.v1' AND subject = %s AND published_at IS NOT NULL"
    )
    eventually(lambda: town.world.sql(found, event["id"]), 60)
    return time.monotonic() - started
