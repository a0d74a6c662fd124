"""NDJSON by the thousand: a receipt a line, while it goes."""

import json
import socket

import requests

from services.intake.reports.batches import LINE_BYTES


def lines(*documents):
    return b"".join(
        (each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n" for each in documents
    )


def post(town, body, headers=None, **more):
    given = {"Content-Type": "application/x-ndjson", **(headers or town.keyed(town.login))}
    url = f"{town.intake.url}/v1/reports/batch"
    return requests.post(url, data=body, headers=given, timeout=120, **more)


def receipts(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.iter_lines() if line]


def test_each_line_has_its_receipt_and_bad_ones_are_named_by_number(town):
    body = lines(
        town.incident(text="垃圾", external_no="b-1"),
        b"not json",
        b"",
        town.incident(category="X1", colour="red"),
        town.incident(text="垃圾", external_no="b-1"),
        b'{"text": "' + b"x" * (LINE_BYTES + 10) + b'"}',
        town.incident(text="已起诉"),
        b"[]",
    )
    answered = {receipt["line"]: receipt for receipt in receipts(post(town, body))}
    assert {line: receipt["outcome"] for line, receipt in answered.items()} == {
        1: "accepted",
        2: "rejected",
        4: "rejected",
        5: "duplicate",
        6: "rejected",
        7: "rejected",
        8: "rejected",
    }
    assert answered[5]["of"] == answered[1]["report_code"]
    assert [error["field"] for error in answered[4]["errors"]] == ["colour"]
    assert "bytes" in answered[6]["errors"][0]["message"]
    assert town.report(answered[7]["report_code"])["status"] == "rejected"
    assert "report_code" not in answered[2]


def test_whole_cloudevents_have_the_receipt_that_the_bus_would_give(town):
    event, bad = town.event(town.login), town.event(town.login, category="X1")
    other = {**town.event(town.login), "source": town.source(town.strict)}
    first, second, third = receipts(post(town, lines(event, bad, other)))
    assert (first["message_id"], first["outcome"]) == (event["id"], "accepted")
    assert (second["message_id"], second["outcome"]) == (bad["id"], "rejected")
    assert [error["field"] for error in third["errors"]] == ["source"]
    assert town.receipt(town.login, event)["report_code"] == first["report_code"]
    (again,) = receipts(post(town, lines(event)))
    assert (again["outcome"], again["of"]) == ("duplicate", first["report_code"])
    town.send_plainly(event)
    assert town.told(town.login, event)[0]["of"] == first["report_code"]


def test_a_person_may_send_a_batch_but_no_cloudevents(town):
    token = town.intake.token(town.worker, "grid_worker", areas=(town.yard,))
    headers = {"Authorization": f"Bearer {token}"}
    body = lines(town.incident(channel="grid_visit"), town.event(town.login))
    first, second = receipts(post(town, body, headers))
    assert first["outcome"] == "accepted"
    assert (second["line"], second["outcome"]) == (2, "rejected")


def test_a_batch_needs_a_key_and_the_right_content_type(town):
    assert post(town, b"{}", {"X-API-Key": "wrong"}).status_code == 401
    answer = post(town, b"{}", {**town.keyed(town.login), "Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (415, "body.not_ndjson")
    assert receipts(post(town, b"")) == []


def test_two_thousand_lines_are_taken_once_however_often_they_are_sent(town):
    body = lines(*[town.incident(text="垃圾", external_no=f"n-{n}") for n in range(2000)])
    first = receipts(post(town, body))
    assert {receipt["outcome"] for receipt in first} == {"accepted"}
    assert [receipt["line"] for receipt in first] == list(range(1, 2001))
    again = receipts(post(town, body))
    assert {receipt["outcome"] for receipt in again} == {"duplicate"}
    assert [r["of"] for r in again] == [r["report_code"] for r in first]


def test_receipts_come_while_a_slow_sender_still_writes(town):
    first, second = (lines(town.incident(external_no=f"s-{n}")) for n in range(2))
    head = (
        "POST /v1/reports/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
        f"X-API-Key: {town.api_key(town.login)}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", town.intake.port), timeout=30) as connection:
        connection.sendall(head.encode() + chunk(first))
        answered = b""
        while b'"line":1' not in answered:
            answered += connection.recv(65536)
        connection.sendall(chunk(second) + chunk(b""))
        while more := connection.recv(65536):
            answered += more
    assert b'"line":2' in answered


def chunk(body):
    return f"{len(body):x}\r\n".encode() + body + b"\r\n"


def test_a_client_that_reads_only_at_the_end_is_not_stuck(town):
    """The receipts of these lines are more than the connection's buffers hold."""
    bad = b'{"colour": "' + b"r" * 20 + b'"}\n'
    count = 60_000
    head = (
        "POST /v1/reports/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
        f"X-API-Key: {town.api_key(town.login)}\r\nContent-Length: {len(bad) * count}\r\n"
        "Connection: close\r\n\r\n"
    )
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        connection.settimeout(90)
        connection.connect(("127.0.0.1", town.intake.port))
        connection.sendall(head.encode())
        connection.sendall(bad * count)
        size, last = 0, b""
        while chunk := connection.recv(1 << 20):
            size += len(chunk)
            last = (last + chunk)[-4000:]
    assert f'"line":{count}'.encode() in last
    assert size > 16 * 1024 * 1024


def test_a_number_that_comes_again_behind_a_search_for_near_ones_is_known(town, without_redis):
    """Without Redis a search reads the table, so what the batch brought before it is written in the middle."""
    bodies = [
        town.incident(text="垃圾", external_no="n-1", location=town.at()),
        town.incident(text="垃圾", external_no="n-2", location=town.at(metres=5)),
        town.incident(text="垃圾", external_no="n-1", location=town.at()),
    ]
    url = f"{without_redis.url}/v1/reports/batch"
    headers = {"Content-Type": "application/x-ndjson", **town.keyed(town.login)}
    first, second, third = receipts(requests.post(url, lines(*bodies), headers=headers, timeout=120))
    assert (first["outcome"], second["outcome"]) == ("accepted", "merged")
    assert (third["outcome"], third["of"]) == ("duplicate", first["report_code"])
