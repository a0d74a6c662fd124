"""The load generator sends every request once, and the webhook receiver notes each message."""

import orjson

from bench import client
from bench.webhook import Receiver


def test_requests_over_several_connections_all_arrive_and_are_timed():
    receiver = Receiver()
    bodies = [orjson.dumps({"correlation_id": str(number)}) for number in range(50)]
    requests = (client.request("POST", receiver.url, {}, body) for body in bodies)
    loaded = client.load(receiver.url, requests, connections=4, seconds=20)
    receiver.close()
    assert loaded.statuses == {204: 50}
    assert len(loaded.latencies) == 50
    assert sorted(receiver.arrived, key=int) == [str(number) for number in range(50)]


def test_load_ends_when_its_time_is_over():
    receiver = Receiver()
    one = client.request("POST", receiver.url, {}, orjson.dumps({"correlation_id": "again"}))
    loaded = client.load(receiver.url, iter([one] * 100_000), connections=1, seconds=0.2)
    receiver.close()
    assert 0 < len(loaded.latencies) < 100_000
