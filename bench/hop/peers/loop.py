"""The practical limit: one process written by hand for this one hop, without a framework.

Batches of up to 200 in one transaction; the facts of a batch are published pipelined, and while the broker confirms
them the next batch is read and validated; their mark as published joins the next batch's transaction, so a batch costs
one commit. What it leaves out: holding of bad messages, retries, order by key, reconnecting, metrics, logs.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from datetime import UTC, datetime
from typing import Any

import amqp
import orjson
import psycopg2
import psycopg2.extras
from kombu.utils.url import parse_url

from bench.hop.peers import common
from bench.hop.work import FACT, FACT_EXCHANGE, Decided, decide

#: Messages of one transaction.
BATCH = 200

#: Seconds that the loop waits for messages when there is nothing else to do.
WAIT_SECONDS = 0.02

INSERT_INBOX = (
    "INSERT INTO inbox (source, event_id, type) VALUES %s ON CONFLICT DO NOTHING RETURNING event_id"
)
INSERT_REPORTS = f"INSERT INTO reports ({', '.join(common.REPORT_COLUMNS)}) VALUES %s"
INSERT_MOVES = f"INSERT INTO report_moves ({', '.join(common.MOVE_COLUMNS)}) VALUES %s"
INSERT_OUTBOX = f"INSERT INTO outbox ({', '.join(common.OUTBOX_COLUMNS)}) VALUES %s"
MARK = "UPDATE outbox SET published_at = clock_timestamp() WHERE event_id = ANY(%s)"


class Loop:
    """One connection to the broker, one to the database, one batch after the other."""

    def __init__(self) -> None:
        self._database = psycopg2.connect(os.environ["HOP_DATABASE_URI"])
        self._connection = _connect(os.environ["HOP_AMQP_URI"])
        self._in = self._connection.channel()
        self._in.auto_decode = False
        self._out = self._connection.channel()
        self._out.confirm_select()
        self._out.events["basic_ack"].add(self._acked)
        self._tag = self._confirmed = 0
        self._singles: set[int] = set()
        self._published: list[str] = []
        self._arrived: deque[amqp.Message] = deque()
        self.stopping = False
        self._in.basic_qos(0, 3 * BATCH, False)
        for queue in os.environ["HOP_QUEUES"].split(","):
            self._in.basic_consume(queue, callback=self._arrived.append)

    def run(self) -> None:
        """Work until told to stop; then finish what is published."""
        while not self.stopping:
            if not self._arrived:
                self._drain(WAIT_SECONDS)
            if self._arrived:
                self._batch()
            elif self._published:
                self._finish()
        self._finish()
        self._connection.close()

    def _batch(self) -> None:
        taken = [self._arrived.popleft() for _ in range(min(BATCH, len(self._arrived)))]
        events = {event["id"]: event for event in (common.read(message.body) for message in taken)}
        facts = self._write(events)
        self._in.basic_ack(taken[-1].delivery_info["delivery_tag"], multiple=True)
        for event_id, key, routing_key, body in facts:
            self._publish(event_id, key, routing_key, body)
        self._drain(0.0001)

    def _write(self, events: dict[str, dict[str, Any]]) -> list[tuple[str, str, str, str]]:
        """Everything of a batch in one transaction, with the mark of the one before; answers what to publish."""
        now = datetime.now(UTC)
        with self._database, self._database.cursor() as cursor:
            self._mark(cursor)
            marks = [(event["source"], event["id"], event["type"]) for event in events.values()]
            fresh = psycopg2.extras.execute_values(cursor, INSERT_INBOX, marks, page_size=BATCH, fetch=True)
            new = [events[event_id] for (event_id,) in fresh]
            decided = [(event, decide(event["data"], now)) for event in new]
            self._insert(cursor, INSERT_REPORTS, [common.report_row(one) for _, one in decided])
            self._insert(cursor, INSERT_MOVES, [row for _, one in decided for row in common.move_rows(one)])
            facts = [_fact(event, one) for event, one in decided]
            self._insert(cursor, INSERT_OUTBOX, facts)
        return [(row[0], row[6], row[5], row[7]) for row in facts]

    def _insert(self, cursor: Any, statement: str, rows: list[tuple[Any, ...]]) -> None:
        psycopg2.extras.execute_values(cursor, statement, rows, page_size=2 * BATCH)

    def _publish(self, event_id: str, key: str, routing_key: str, body: str) -> None:
        message = amqp.Message(
            body.encode(),
            content_type="application/cloudevents+json",
            delivery_mode=2,
            message_id=event_id,
            type=FACT,
            application_headers={"partitionkey": key},
        )
        self._out.basic_publish(message, FACT_EXCHANGE, routing_key, mandatory=True)
        self._tag += 1
        self._published.append(event_id)

    def _mark(self, cursor: Any) -> None:
        """Mark the batch before as published, once it is confirmed."""
        while self._confirmed + len(self._singles) < self._tag:
            self._connection.drain_events(timeout=10)
        if self._published:
            cursor.execute(MARK, (self._published,))
            self._published = []

    def _finish(self) -> None:
        with self._database, self._database.cursor() as cursor:
            self._mark(cursor)

    def _drain(self, seconds: float) -> None:
        try:
            self._connection.drain_events(timeout=seconds)
        except TimeoutError:
            return

    def _acked(self, tag: int, multiple: bool) -> None:
        if multiple:
            self._confirmed = max(self._confirmed, tag)
            self._singles = {single for single in self._singles if single > tag}
        else:
            self._singles.add(tag)


def _fact(event: dict[str, Any], decided: Decided) -> tuple[Any, ...]:
    outgoing = common.outgoing(event, decided)
    return common.outbox_row(outgoing, orjson.dumps(outgoing).decode())


def _connect(uri: str) -> amqp.Connection:
    parts = parse_url(uri)
    connection = amqp.Connection(
        host=f"{parts['hostname']}:{parts['port']}",
        userid=parts["userid"],
        password=parts["password"],
        virtual_host=parts["virtual_host"],
    )
    connection.connect()
    return connection


def main() -> None:
    """Run until SIGTERM."""
    loop = Loop()

    def stop(number: int, frame: Any) -> None:
        loop.stopping = True

    signal.signal(signal.SIGTERM, stop)
    loop.run()


if __name__ == "__main__":
    main()
