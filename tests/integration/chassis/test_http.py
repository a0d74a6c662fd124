"""Every door refuses clearly, and a repeated request has one effect."""

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest
import requests
from openapi_spec_validator import validate

from wangge.cli.local import LocalSystem
from wangge.cli.token import sign


@pytest.fixture
def maker(servers: LocalSystem) -> dict[str, str]:
    return {"Authorization": f"Bearer {sign(servers.keys_dir, 'm-1', roles=['maker'])}"}


def post(probe, headers, body, **more):
    return requests.post(f"{probe.http}/v1/things", json=body, headers={**headers, **more}, timeout=10)


def test_the_door_refuses_what_is_wrong_and_names_all_of_it(probe, maker, servers):
    unknown = post(probe, {}, {"name": "a", "size": 1})
    assert (unknown.status_code, unknown.headers["WWW-Authenticate"]) == (401, "Bearer")
    forged = post(probe, {"Authorization": "Bearer x.y.z"}, {})
    assert (forged.status_code, forged.json()["code"]) == (401, "unauthenticated")
    stale = {"Authorization": f"Bearer {sign(servers.keys_dir, 'm-1', roles=['maker'], days=-1)}"}
    assert post(probe, stale, {}).status_code == 401
    other = {"Authorization": f"Bearer {sign(servers.keys_dir, 'm-2', roles=['reader'])}"}
    assert (post(probe, other, {}).status_code, post(probe, other, {}).json()["code"]) == (
        403,
        "role.missing",
    )
    wrong = post(probe, maker, {"size": 12, "colour": "red"})
    assert wrong.status_code == 422
    assert wrong.headers["Content-Type"] == "application/problem+json"
    assert {error["field"] for error in wrong.json()["errors"]} == {"name", "size", "colour"}
    bad = requests.post(f"{probe.http}/v1/things", data="{", headers=maker, timeout=5)
    assert (bad.status_code, bad.json()["code"]) == (400, "body.bad_json")
    nul = requests.post(
        f"{probe.http}/v1/things", data='{"name":"a\\u0000","size":1}', headers=maker, timeout=5
    )
    assert nul.status_code == 422
    huge = requests.post(f"{probe.http}/v1/things", data="x" * 300_000, headers=maker, timeout=5)
    assert (huge.status_code, huge.json()["code"]) == (413, "body.too_large")
    assert requests.get(f"{probe.http}/v1/nothing", timeout=5).json()["code"] == "http.404"
    assert requests.delete(f"{probe.http}/v1/things", timeout=5).json()["code"] == "http.405"
    assert probe.sql("SELECT * FROM thing") == []


def test_details_are_chinese_and_english_when_asked(probe, maker):
    post(probe, maker, {"name": "a", "size": 1})
    assert post(probe, maker, {"name": "a", "size": 1}).json()["detail"] == "已存在"
    english = {"Accept-Language": "en-GB,en;q=0.9"}
    assert post(probe, maker, {"name": "a", "size": 1}, **english).json()["detail"] == "it exists"


def test_a_repeated_request_gets_the_first_answer_and_has_no_second_effect(probe, maker):
    key = {"Idempotency-Key": "key-1"}
    first = post(probe, maker, {"name": "a", "size": 1}, **key)
    again = post(probe, maker, {"name": "a", "size": 1}, **key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replay"] == "true"
    assert again.headers["ETag"] == first.headers["ETag"] == '"1"'
    other = post(probe, maker, {"name": "b", "size": 1}, **key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.key_reused")
    assert len(probe.sql("SELECT * FROM thing")) == 1


def test_twenty_requests_at_once_under_one_key_have_one_effect(probe, maker):
    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(
                lambda _: post(probe, maker, {"name": "a", "size": 1}, **{"Idempotency-Key": "k"}), range(20)
            )
        )
    assert {answer.status_code for answer in answers} == {201}
    assert sum("Idempotent-Replay" in answer.headers for answer in answers) == 19
    assert len(probe.sql("SELECT * FROM thing")) == 1


def test_a_refused_request_may_be_sent_again_under_its_key(probe, maker):
    post(probe, maker, {"name": "a", "size": 1})
    key = {"Idempotency-Key": "key-2"}
    assert post(probe, maker, {"name": "a", "size": 1}, **key).status_code == 409
    probe.sql("DELETE FROM thing")
    assert post(probe, maker, {"name": "a", "size": 1}, **key).status_code == 201


def test_a_change_against_a_stale_version_is_refused(probe, maker):
    assert post(probe, maker, {"name": "a", "size": 1}).headers["ETag"] == '"1"'
    url = f"{probe.http}/v1/things/a"
    body = {"name": "a", "size": 2}
    assert (
        requests.put(url, json=body, headers=maker | {"If-Match": '"1"'}, timeout=5).headers["ETag"] == '"2"'
    )
    stale = requests.put(url, json=body, headers=maker | {"If-Match": '"1"'}, timeout=5)
    assert (stale.status_code, stale.json()["code"]) == (412, "version.stale")
    missing = requests.put(f"{probe.http}/v1/things/b", json=body, headers=maker, timeout=5)
    assert (missing.status_code, missing.json()["code"]) == (404, "thing.not_found")


def test_a_list_is_walked_by_cursor_without_gaps_or_repeats(probe, maker):
    for number in range(7):
        probe.sql("INSERT INTO thing VALUES (%s, 1, 1)", f"t{number}")
    names, cursor = [], None
    while True:
        query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = requests.get(f"{probe.http}/v1/things", params=query, headers=maker, timeout=5).json()
        names += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert names == [f"t{number}" for number in range(7)]
    for query in ({"limit": 0}, {"limit": 201}, {"cursor": "nonsense"}, {"colour": "red"}):
        assert (
            requests.get(f"{probe.http}/v1/things", params=query, headers=maker, timeout=5).status_code == 422
        )


def test_the_service_describes_itself(probe):
    document = requests.get(f"{probe.http}/openapi.json", timeout=5).json()
    validate(document)
    assert {"/v1/things", "/v1/things/{name}", "/v1/held/{held_id}/replay"} <= set(document["paths"])
    page = requests.get(f"{probe.http}/docs", timeout=5)
    assert "Make a thing." in page.text
    assert "Body: name, size." in page.text
    assert "Query: cursor, limit." in page.text


def test_the_clock_is_set_advanced_and_released_and_survives_a_restart(probe):
    url = f"{probe.health}/clock"
    at = "2023-09-14T19:00:00+08:00"
    assert requests.put(url, json={"set": at}, timeout=5).json()["stands_at"] == "2023-09-14T11:00:00Z"
    assert requests.put(url, json={"advance": 7201}, timeout=5).json()["now"] == "2023-09-14T13:00:01Z"
    probe.stop()
    probe.start()
    assert requests.get(url, timeout=5).json()["stands_at"] == "2023-09-14T13:00:01Z"
    for wrong in ({"set": "2023-09-14T19:00:00"}, {"set": "yesterday"}, {"advance": -1}, {}, []):
        assert requests.put(url, json=wrong, timeout=5).status_code == 422
    assert requests.put(url, json={"release": True}, timeout=5).json()["stands_at"] is None


def test_health_and_metrics_are_told_on_their_own_port(probe):
    assert requests.get(f"{probe.health}/health/live", timeout=5).json()["alive"] is True
    ready = requests.get(f"{probe.health}/health/ready", timeout=5).json()
    assert ready["checks"] == dict.fromkeys(
        ("database", "schema", "broker", "publishing", "outbox"), "ok"
    ) | {"draining": "no"}
    metrics = requests.get(f"{probe.health}/metrics", timeout=5).text
    assert 'wangge_held{state="quarantined"} 0.0' in metrics


def test_long_answer_is_not_kept_waiting_for_the_client_to_acknowledge_its_beginning(probe):
    """Nagle's algorithm and a client's delayed acknowledgement would hold its rest back for 40 ms."""
    with requests.Session() as client:
        taken = []
        for _ in range(30):
            answer = client.get(f"{probe.http}/openapi.json", timeout=5, stream=True)
            began = time.perf_counter()
            assert len(answer.content) > 16_384
            taken.append(time.perf_counter() - began)
    assert median(taken) < 0.03  # seconds from its beginning to its end
