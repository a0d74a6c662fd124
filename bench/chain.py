"""The least that the way from an incident to a webhook can cost: three bare processes with the same hops and commits.

Each takes a message, writes comparable rows in one commit, publishes the next message confirmed, and acknowledges; the
last one posts to the webhook after its commit. Nothing is validated, decided, numbered, batched or kept for later.
"""

from __future__ import annotations

import http.client
import os
import sys
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import amqp
import orjson
import psycopg2

from bench.hop.peers import common
from bench.hop.work import decide
from wangge.chassis import broker
from wangge.chassis.ids import new_id

HOPS = 3


def queue_of(hop: int) -> str:
    """The queue that a hop takes from."""
    return f"chain.{hop}"


class Hop:
    """One process of the chain."""

    def __init__(self, hop: int) -> None:
        self._hop = hop
        self._database = psycopg2.connect(os.environ["CHAIN_DATABASE_URI"])
        self._webhook = urlsplit(os.environ["CHAIN_WEBHOOK"])
        self._connection = broker.connect((os.environ["CHAIN_AMQP_URI"],), confirm_publish=True)
        self._channel = self._connection.channel()
        self._channel.auto_decode = False
        self._channel.basic_qos(0, 10, False)

    def run(self) -> None:
        """Work until the connection ends."""
        self._channel.basic_consume(queue_of(self._hop), callback=self._take)
        while True:
            self._connection.drain_events(timeout=None)

    def _take(self, message: amqp.Message) -> None:
        event = orjson.loads(message.body)
        self._keep(event, bytes(message.body).decode())
        if self._hop + 1 < HOPS:
            following = amqp.Message(bytes(message.body), delivery_mode=2, message_id=event["id"])
            self._channel.basic_publish(following, "", queue_of(self._hop + 1))
        else:
            self._post(event)
        self._channel.basic_ack(message.delivery_info["delivery_tag"])

    def _keep(self, event: dict[str, Any], body: str) -> None:
        decided = decide(event["data"], datetime.now(UTC))
        fact = {"id": new_id(), "subject": decided.code, "area": decided.report["area"]}
        with self._database, self._database.cursor() as cursor:
            cursor.execute(common.INSERT_INBOX, (event["source"], event["id"], event["type"]))
            cursor.execute(common.INSERT_REPORT, common.report_row(decided))
            cursor.execute(common.INSERT_MOVES, [value for row in common.move_rows(decided) for value in row])
            cursor.execute(common.INSERT_OUTBOX, common.outbox_row(fact, body))

    def _post(self, event: dict[str, Any]) -> None:
        connection = http.client.HTTPConnection(str(self._webhook.hostname), self._webhook.port)
        body = orjson.dumps({"correlation_id": event["id"], "text": event["data"]["text"]})
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.close()


if __name__ == "__main__":
    Hop(int(sys.argv[1])).run()
