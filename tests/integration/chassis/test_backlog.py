"""Where too many facts wait to be published, the door takes no more, and says when to come again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest
import requests

from wangge.chassis.relay import RELAY_LOCK
from wangge.cli.token import sign


@pytest.fixture
def make(probe, servers) -> Callable[[str], requests.Response]:
    headers = {"Authorization": f"Bearer {sign(servers.keys_dir, 'm-1', roles=['maker'])}"}
    return lambda name: requests.post(
        f"{probe.http}/v1/things", json={"name": name, "size": 1}, headers=headers, timeout=10
    )


@contextmanager
def no_fact_published(probe) -> Iterator[None]:
    """Hold what serialises the relays."""
    connection = psycopg2.connect(probe.database_uri.replace("+psycopg2", ""))
    connection.cursor().execute("SELECT pg_advisory_lock(%s)", [RELAY_LOCK])
    try:
        yield
    finally:
        connection.close()


def outbox_check(probe) -> Any:
    return requests.get(f"{probe.health}/health/ready", timeout=10).json()["checks"]["outbox"]


@pytest.mark.parametrize("limit", [{"WANGGE_OUTBOX_MOST": "3"}, {"WANGGE_OUTBOX_SECONDS": "1"}])
def test_commands_are_refused_at_the_watermark_while_facts_wait_and_taken_again_after(
    probe, make, eventually, limit
):
    probe.stop()
    probe.start(**limit)
    with no_fact_published(probe):
        probe.tell(*({"key": f"k-{number}", "number": number} for number in range(5)))
        eventually(lambda: outbox_check(probe).startswith("backpressure: "))
        refused = make("one too many")
        assert (refused.status_code, refused.json()["code"]) == (503, "backpressure")
        assert int(refused.headers["Retry-After"]) > 0
        assert requests.get(f"{probe.health}/health/ready", timeout=10).status_code == 200
    eventually(lambda: outbox_check(probe) == "ok", 30)
    assert make("now there is room").status_code == 201
