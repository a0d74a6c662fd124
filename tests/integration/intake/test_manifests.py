"""A publisher's manifest of a day explains every message that it ever sent."""

import json
import uuid

import pytest
from kit.waiting import eventually

from wangge.contracts.digests import digest_of

NIGHT = "2031-03-01T23:50:00+08:00"
MORNING = "2031-03-02T08:00:00+08:00"


@pytest.fixture
def night(town, intake):
    """A town at ten to midnight."""
    intake.clock(set=NIGHT)
    return town


def event(town, **data):
    return town.event(town.login, occurred_at="2031-03-01T20:00:00+08:00", **data)


def path(login, day="2031-03-01", rest=""):
    return f"/v1/publishers/{login}/manifest/{day}{rest}"


def manifest(town, login=None, day="2031-03-01"):
    answer = town.intake.call("GET", path(login or town.login, day), town.admin)
    assert answer.ok, answer.text
    return answer.json()


def counts(found):
    return {part["outcome"]: (part["messages"], part["received"]) for part in found["outcomes"]}


def listed(town, login=None, **query):
    items, cursor = [], None
    while True:
        asked = {**query, **({"cursor": cursor} if cursor else {})}
        rest = "/messages?" + "&".join(f"{name}={value}" for name, value in asked.items())
        page = town.intake.call("GET", path(login or town.login, rest=rest), town.admin).json()
        items += page["items"]
        cursor = page["next_cursor"]
        if not cursor:
            return items


def test_every_message_is_counted_by_what_became_of_it_with_digests_to_compare_by(night):
    good = [event(night, text=f"垃圾 {n}") for n in range(5)]
    same = event(night, external_no="1", text="垃圾")
    again = event(night, external_no="1", text="垃圾")
    rejected, wrong = event(night, text="这事已起诉"), event(night, category="X1")
    sent = [*good, same, again, rejected, wrong]
    night.send_plainly(*good, same)
    night.receipt(night.login, same)
    night.send_plainly(again, rejected, wrong, good[0], good[0], wrong)
    night.told(night.login, good[0], 3)
    night.told(night.login, wrong, 2)
    for one in sent:
        night.receipt(night.login, one)
    found = manifest(night)
    assert counts(found) == {
        "accepted": (6, 8),
        "duplicate": (1, 1),
        "quarantined": (1, 2),
        "rejected": (1, 1),
    }
    assert (found["messages"], found["received"], found["repeated"]) == (9, 12, 3)
    ids = [one["id"] for one in sent]
    assert found["digest"] == digest_of(ids)
    by_outcome = {part["outcome"]: part["digest"] for part in found["outcomes"]}
    assert by_outcome["accepted"] == digest_of([one["id"] for one in [*good, same]])
    assert found["is_over"] is False
    rows = listed(night, limit=2)
    assert [row["message_id"] for row in rows if row["outcome"] == "accepted"] == sorted(ids[:6])
    assert sorted(row["message_id"] for row in rows) == sorted(ids)
    (one,) = listed(night, outcome="quarantined")
    assert (one["message_id"], one["times"], one["errors"][0]["field"]) == (wrong["id"], 2, "data.category")


def test_a_message_stays_with_the_day_of_its_first_receipt(night, intake):
    late = event(night, category="X1")
    night.send_plainly(late)
    night.receipt(night.login, late)
    before = manifest(night)
    intake.clock(set=MORNING)
    late["data"]["category"] = "C0137"
    (row,) = night.world.sql("SELECT id FROM held_event WHERE event_id = %s", late["id"])
    body = {"body": json.dumps(late), "reason": "told by telephone"}
    assert intake.call("POST", f"/v1/held/{row['id']}/edit", night.admin, body).ok
    assert intake.call("POST", f"/v1/held/{row['id']}/replay", night.admin, {}).ok
    eventually(lambda: night.receipt(night.login, late)["outcome"] == "accepted")
    after = manifest(night)
    assert counts(before) == {"quarantined": (1, 1)}
    assert counts(after) == {"accepted": (1, 2)}
    assert (after["digest"], after["is_over"]) == (before["digest"], True)
    assert manifest(night, day="2031-03-02")["messages"] == 0


def test_what_an_operator_gave_up_is_told_to_its_sender_and_counted(night, intake):
    wrong = event(night, category="X1")
    night.send_plainly(wrong)
    night.receipt(night.login, wrong)
    (row,) = night.world.sql("SELECT id FROM held_event WHERE event_id = %s", wrong["id"])
    assert intake.call("POST", f"/v1/held/{row['id']}/drop", night.admin, {"reason": "a test message"}).ok
    receipt = night.receipt(night.login, wrong)
    assert (receipt["outcome"], receipt["errors"][0]["message"]) == ("dropped", "a test message")
    assert [told["outcome"] for told in night.told(night.login, wrong, 2)] == ["quarantined", "dropped"]
    assert counts(manifest(night)) == {"dropped": (1, 2)}
    wrong["data"]["category"] = "C0137"
    night.send_plainly(wrong)
    eventually(lambda: night.receipt(night.login, wrong)["outcome"] == "accepted")


def test_unreadable_messages_stand_under_their_digest_and_strangers_under_unknown(night, intake):
    stranger = {**event(night), "source": f"https://{uuid.uuid4().hex}.example"}
    junk = f"junk {uuid.uuid4().hex}".encode()
    night.send_plainly(stranger, junk)
    night.receipt("unknown", stranger)
    ids = eventually(
        lambda: (
            {row["message_id"] for row in listed(night, "unknown")} >= {stranger["id"]}
            and [row["message_id"] for row in listed(night, "unknown")]
        )
    )
    eventually(lambda: any(row["message_id"].startswith("sha256:") for row in listed(night, "unknown")))
    assert stranger["id"] in ids
    assert intake.call("GET", path("unknown"), **night.keyed(night.login)).status_code == 404


def test_a_publisher_reads_its_own_manifest_and_nobody_elses(night, intake):
    assert intake.call("GET", path(night.login), **night.keyed(night.login)).ok
    assert intake.call("GET", path(night.login), night.staff).ok
    for key in (night.keyed(night.strict), {}):
        token = "" if key else intake.token("w", "grid_worker")
        for rest in ("", "/messages"):
            answer = intake.call("GET", path(night.login, rest=rest), token, **key)
            assert (answer.status_code, answer.json()["code"]) == (404, "manifest.not_found")


def test_a_day_that_is_none_is_said_so(night, intake):
    answer = intake.call("GET", path(night.login, "2031-02-30"), night.admin)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "date")
    empty = manifest(night, day="2031-01-01")
    assert (empty["messages"], empty["digest"], empty["outcomes"]) == (0, digest_of([]), [])


#: Receipts of a table that has grown, a day's share of one publisher among them.
GROWN, SHARE = 1_000_000, 5_000

GROW = """
    INSERT INTO receipts (publisher, message_id, outcome, errors, issued_at, received_on, times)
    SELECT CASE WHEN n <= %s THEN %s ELSE 'other-' || n %% 20 END, 'm-' || n, 'accepted', '[]', now(),
           date '2031-03-01' + CASE WHEN n <= %s THEN 0 ELSE n %% 100 END, 1
    FROM generate_series(1, %s) AS n
"""


def scans(world):
    """Receipts that were read by going through all of them, and how often the index of manifests was used."""
    (table,) = world.sql("SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'receipts'")
    (index,) = world.sql("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'receipt_manifest'")
    return table["seq_tup_read"], index["idx_scan"]


def test_a_manifest_reads_one_range_of_an_index_in_a_table_of_a_million(world, town):
    login = f"{town.login}-grown"
    world.sql(GROW, SHARE, login, SHARE, GROWN)
    world.sql("ANALYZE receipts")
    whole, ranges = scans(world)
    found = manifest(town, login)
    assert (found["messages"], found["digest"]) == (SHARE, digest_of(f"m-{n}" for n in range(1, SHARE + 1)))
    assert len(listed(town, login)) == SHARE
    eventually(lambda: scans(world)[1] >= ranges + 1 + SHARE // 1000)
    # what was read while the table was small may be counted only now; an answer in order, if not from the index, needs
    # all of the large one
    assert scans(world)[0] - whole < GROWN
    world.sql("DELETE FROM receipts WHERE publisher = %s OR publisher LIKE 'other-%%'", login)
