"""Operators see what could not be processed, correct it, replay it or give it up; every act is noted and safe to repeat."""

import json

import pytest
import requests

from wangge.cli.local import LocalSystem
from wangge.cli.token import sign

TIMES = {"time": "2025-01-01T00:00:00Z", "specversion": "1.0", "source": "/w", "type": "thing.told.v1"}


def a_thing(key="k1", number=1, **more):
    return {"key": key, "number": number, **more}


def a_message(event_id, **data):
    return json.dumps({**TIMES, "id": event_id, "data": data}).encode()


class Desk:
    """The operators' door of a probe."""

    def __init__(self, probe, token):
        self.probe = probe
        self.url = f"{probe.http}/v1/held"
        self._headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}

    def get(self, path="", **query):
        return requests.get(f"{self.url}{path}", params=query, headers=self._headers, timeout=10)

    def post(self, path, body=None, **headers):
        return requests.post(
            f"{self.url}{path}", json=body or {}, headers={**self._headers, **headers}, timeout=10
        )

    def refused(self, path, body=None):
        answer = self.post(path, body)
        return answer.status_code, answer.json()["code"]


@pytest.fixture
def desk(probe, servers: LocalSystem):
    return Desk(probe, sign(servers.keys_dir, "op-1", roles=["admin"]))


@pytest.fixture
def held_by_a_bug(probe, eventually):
    """Five events of two senders that met a bug, oldest first."""
    told = probe.tell(*[a_thing(f"k{number}", number, mood="bug") for number in range(5)])
    eventually(lambda: len(probe.held("quarantined")) == 5)
    return told


def effect_ids(probe):
    return sorted(row["event_id"] for row in probe.effects())


def test_nobody_but_an_administrator_sees_or_touches_what_is_held(probe, desk, servers):
    (path, body) = ("/replay", {"type": "thing.told.v1"})
    assert requests.post(f"{desk.url}{path}", json=body, timeout=10).status_code == 401
    clerk = Desk(probe, sign(servers.keys_dir, "c-1", roles=["dispatcher"]))
    assert clerk.get("/groups").status_code == 403
    assert clerk.refused(path, body) == (403, "role.missing")


def test_held_events_are_grouped_by_cause_and_sender(probe, desk, eventually):
    probe.tell(*[a_thing(f"k{number}", number, mood="bug") for number in range(3)])
    probe.publish(b"{", a_message("m1", key="k", number=-1), a_message("m2", key="q", number=-2))
    eventually(lambda: len(probe.held("quarantined")) == 6)
    groups = {group["cause"]: group for group in desk.get("/groups").json()["items"]}
    assert {cause: group["count"] for cause, group in groups.items()} == {
        "bug.KeyError": 3,
        "bad_data": 2,
        "bad_json": 1,
    }
    wrong = groups["bad_data"]
    assert (wrong["sender"], wrong["fields"]) == ("/w", ["data.number"])
    assert wrong["message_id"] == desk.get(f"/{wrong['example_id']}").json()["message_id"]
    assert wrong["first_at"] <= wrong["last_at"]
    assert groups["bug.KeyError"]["sender"] == "/wangge/world"
    of_sender = desk.get("/groups", sender="/w").json()["items"]
    assert [group["fingerprint"] for group in of_sender] == [wrong["fingerprint"]]
    listed = desk.get("", fingerprint=wrong["fingerprint"]).json()["items"]
    assert [row["message_id"] for row in listed] == ["m1", "m2"]
    assert len(desk.get("", message_id="m2").json()["items"]) == 1


def test_groups_come_page_by_page(probe, desk, eventually):
    probe.publish(
        *[json.dumps({**TIMES, "source": f"/w{n}", "id": "x", "data": {}}).encode() for n in range(5)]
    )
    eventually(lambda: len(probe.held("quarantined")) == 5)
    seen, cursor = [], None
    while True:
        page = desk.get("/groups", limit=2, **({"cursor": cursor} if cursor else {})).json()
        seen += [group["sender"] for group in page["items"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert sorted(seen) == [f"/w{n}" for n in range(5)]


def test_a_bug_is_replayed_once_mended_with_one_effect_and_the_same_id(probe, desk, eventually):
    (event_id,) = probe.tell(a_thing(mood="bug"))
    (held,) = eventually(lambda: probe.held("quarantined"))
    assert held["cause"] == "bug.KeyError"
    probe.sql("INSERT INTO mended VALUES ('bug')")
    replayed = desk.post(f"/{held['id']}/replay").json()
    assert (replayed["state"], replayed["is_changed"]) == ("deferred", True)
    eventually(lambda: effect_ids(probe) == [event_id])
    eventually(lambda: probe.held("done"))
    answer = desk.post(f"/{held['id']}/replay")
    assert (answer.status_code, answer.json()["code"]) == (409, "held.processed")
    assert "nothing is left to do" in answer.json()["detail"]
    assert [act["command"] for act in desk.get(f"/{held['id']}").json()["acts"]] == ["replay"]
    assert effect_ids(probe) == [event_id]


def test_what_is_being_tried_already_is_left_alone_and_the_answer_says_so(probe, desk, eventually):
    probe.tell(a_thing(mood="away"))
    (held,) = eventually(lambda: probe.held("deferred"))
    again = desk.post(f"/{held['id']}/replay").json()
    assert (again["state"], again["is_changed"], again["acts"]) == ("deferred", False, [])
    assert desk.refused(f"/{held['id']}/drop", {"reason": "x"}) == (409, "held.waiting")
    assert desk.refused(f"/{held['id']}/edit", {"body": "{}", "reason": "x"}) == (409, "held.waiting")


def test_a_replayed_event_has_a_full_budget_however_old_it_is(probe, desk, eventually):
    probe.tell(a_thing(mood="bug"))
    (held,) = eventually(lambda: probe.held("quarantined"))
    probe.sql("UPDATE held_event SET held_at = held_at - interval '40 days'")
    body = json.loads(held["body"])
    body["data"]["mood"] = "away"
    edited = desk.post(f"/{held['id']}/edit", {"body": json.dumps(body), "reason": "the neighbour is away"})
    assert edited.ok, edited.text
    assert desk.post(f"/{held['id']}/replay").ok
    eventually(lambda: [row["attempts"] for row in probe.held("deferred")] == [1])
    assert probe.held("quarantined") == []


def test_an_edit_keeps_what_was_before_with_who_when_and_why(probe, desk, eventually):
    probe.publish(a_message("7", key="k", number=-1))
    (held,) = eventually(lambda: probe.held("quarantined"))
    still_wrong = desk.post(f"/{held['id']}/edit", {"body": "{}", "reason": "typing"})
    assert (still_wrong.status_code, len(still_wrong.json()["errors"])) == (422, 6)
    assert desk.post(f"/{held['id']}/edit", {"body": "{}"}).json()["errors"][0]["field"] == "reason"
    right = a_message("7", key="k", number=1).decode()
    edited = desk.post(f"/{held['id']}/edit", {"body": right, "reason": "the sender said 1"}).json()
    assert (edited["state"], edited["body"]) == ("quarantined", right)
    (act,) = edited["acts"]
    assert (act["command"], act["by"], act["reason"]) == ("edit", "op-1", "the sender said 1")
    assert (act["before"], act["after"]) == (held["body"], right)
    assert act["at"]
    assert desk.post(f"/{held['id']}/replay").ok
    eventually(lambda: effect_ids(probe) == ["7"])


@pytest.mark.parametrize(
    ("sent", "edited", "fields"),
    [
        ({"id": "7", "source": "/w"}, {"id": "8"}, {"id"}),
        ({"id": "7", "source": "/w"}, {"source": "/other"}, {"source"}),
        ({"id": "7", "source": "/w"}, {"actor": "person:boss"}, {"actor"}),
        ({"id": "7", "source": "/w", "actor": "person:p"}, {"actor": "person:boss"}, {"actor"}),
        ({"id": "7"}, {"source": "/w"}, {"source"}),
        ({"source": "/w"}, {"id": "7"}, {"id"}),
    ],
)
def test_an_edit_never_makes_a_message_anothers(probe, desk, eventually, sent, edited, fields):
    probe.publish(json.dumps({"specversion": "1.0", "type": "thing.told.v1", **sent}).encode())
    (held,) = eventually(lambda: probe.held("quarantined"))
    whole = {**TIMES, **sent, **edited, "data": a_thing()}
    answer = desk.post(f"/{held['id']}/edit", {"body": json.dumps(whole), "reason": "x"})
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == fields
    assert probe.held("quarantined")[0]["body"] == held["body"]


def test_an_unreadable_message_of_a_known_login_is_corrected_under_the_id_it_was_answered_under(
    probe, desk, eventually
):
    probe.publish_as_itself(b'{"specversion":"1.0"')
    (held,) = eventually(lambda: probe.held("quarantined"))
    assert held["message_id"].startswith("sha256:")
    assert held["sender"] == held["origin"] != ""
    right = a_message(held["message_id"], **a_thing()).decode()
    assert desk.post(f"/{held['id']}/edit", {"body": right, "reason": "cut short"}).ok
    assert desk.post(f"/{held['id']}/replay").ok
    eventually(lambda: effect_ids(probe) == [held["message_id"]])


def test_a_dropped_event_keeps_its_reason_and_may_be_sent_again(probe, desk, eventually):
    probe.tell(a_thing(mood="bug"), ids=["again"])
    (held,) = eventually(lambda: probe.held("quarantined"))
    assert desk.refused(f"/{held['id']}/drop") == (422, "invalid")
    dropped = desk.post(f"/{held['id']}/drop", {"reason": "测试"}).json()
    assert (dropped["state"], dropped["ended_by"], dropped["reason"]) == ("dropped", "op-1", "测试")
    answer = desk.post(f"/{held['id']}/replay")
    assert (answer.status_code, answer.json()["code"]) == (409, "held.dropped")
    assert "let its sender send it again" in answer.json()["detail"]
    probe.sql("INSERT INTO mended VALUES ('bug')")
    probe.tell(a_thing(), ids=["again"])
    eventually(lambda: effect_ids(probe) == ["again"])
    assert desk.refused("/999999/drop", {"reason": "x"}) == (404, "held.not_found")


def test_a_message_that_came_right_meanwhile_is_not_replayed_but_the_operator_told_to_drop_it(
    probe, desk, eventually
):
    probe.publish(a_message("7", key="k", number=-1))
    (held,) = eventually(lambda: probe.held("quarantined"))
    probe.publish(a_message("7", key="k", number=1))
    eventually(lambda: effect_ids(probe) == ["7"])
    right = {"body": a_message("7", key="k", number=2).decode(), "reason": "x"}
    assert desk.post(f"/{held['id']}/edit", right).ok
    answer = desk.post(f"/{held['id']}/replay")
    assert (answer.status_code, answer.json()["code"]) == (409, "held.processed")
    assert "drop this one instead" in answer.json()["detail"]
    assert desk.post(f"/{held['id']}/drop", {"reason": "sent again"}).ok
    assert len(probe.effects()) == 1


def test_a_group_is_replayed_and_a_second_request_changes_nothing(probe, desk, eventually, held_by_a_bug):
    (group,) = desk.get("/groups").json()["items"]
    chosen = {"fingerprint": group["fingerprint"], "sender": group["sender"]}
    probe.sql("INSERT INTO mended VALUES ('bug')")
    first = desk.post("/replay", chosen).json()
    assert (first["acted"], first["refused"], first["left"], first["after"]) == (5, 0, 0, None)
    eventually(lambda: effect_ids(probe) == sorted(held_by_a_bug))
    eventually(lambda: len(probe.held("done")) == 5)
    second = desk.post("/replay", chosen).json()
    assert (second["acted"], second["states"]) == (0, {"done": 5})
    assert len(probe.effects()) == 5
    assert len(probe.sql("SELECT 1 FROM held_act")) == 5


def test_an_idempotency_key_keeps_a_group_from_being_replayed_twice(probe, desk, eventually, held_by_a_bug):
    (group,) = desk.get("/groups").json()["items"]
    key = {"Idempotency-Key": "replay-1"}
    first = desk.post("/replay", {"fingerprint": group["fingerprint"]}, **key)
    eventually(lambda: len(probe.held("quarantined")) == 5)  # the bug is still there
    again = desk.post("/replay", {"fingerprint": group["fingerprint"]}, **key)
    assert (first.json()["acted"], again.json()) == (5, first.json())
    assert again.headers["Idempotent-Replay"] == "true"
    assert len(probe.sql("SELECT 1 FROM held_act")) == 5


def test_what_of_a_group_cannot_be_replayed_is_named_and_stays(probe, desk, eventually):
    probe.publish(a_message("1", key="k", number=-1), a_message("2", key="q", number=-1))
    held = eventually(lambda: len(probe.held("quarantined")) == 2 and probe.held("quarantined"))
    right = {"body": a_message("1", key="k", number=1).decode(), "reason": "x"}
    assert desk.post(f"/{held[0]['id']}/edit", right).ok
    answer = desk.post("/replay", {"fingerprint": held[0]["fingerprint"]}).json()
    assert (answer["acted"], answer["refused"], answer["left"]) == (1, 1, 1)
    (named,) = answer["named"]
    assert (named["id"], named["code"]) == (held[1]["id"], "invalid")
    assert "data.number" in named["detail"]
    eventually(lambda: effect_ids(probe) == ["1"])


def test_a_large_group_goes_in_portions(probe, desk, eventually):
    probe.publish(*[a_message(str(n), key=f"k{n}", number=-1) for n in range(230)])
    eventually(lambda: len(probe.held("quarantined")) == 230, 60)
    first = desk.post("/drop", {"sender": "/w", "reason": "a faulty device"}).json()
    assert (first["acted"], first["left"]) == (200, 30)
    assert first["after"] is not None
    second = desk.post("/drop", {"sender": "/w", "reason": "a faulty device", "after": first["after"]}).json()
    assert (second["acted"], second["left"], second["after"]) == (30, 0, None)
    assert {row["reason"] for row in probe.held("dropped")} == {"a faulty device"}


def test_a_group_must_be_named(desk):
    answer = desk.post("/replay", {"before": "2099-01-01T00:00:00Z"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "fingerprint")


def test_only_what_was_held_before_an_instant_is_meant(desk, held_by_a_bug):
    rows = desk.get().json()["items"]
    chosen = {"type": "thing.told.v1", "before": rows[2]["held_at"], "reason": "x"}
    assert desk.post("/drop", chosen).json()["acted"] == 2
