"""The hop on FastStream: a subscriber a queue, asyncpg, confirmed publishing, rejected only by hand."""

from __future__ import annotations

import asyncio
import logging
import os
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
import uvloop
from faststream import AckPolicy, FastStream
from faststream.rabbit import Channel, RabbitBroker, RabbitExchange, RabbitMessage, RabbitQueue

from bench.hop.peers import common
from bench.hop.work import FACT_EXCHANGE, decide

QUEUES = os.environ["HOP_QUEUES"].split(",")

#: Events in work at a time; asyncpg's pool has a connection for each.
CONCURRENCY = int(os.environ["HOP_CONCURRENCY"])

INSERT_INBOX, INSERT_REPORT, INSERT_MOVES, INSERT_OUTBOX, MARK_ONE = map(
    common.numbered,
    (common.INSERT_INBOX, common.INSERT_REPORT, common.INSERT_MOVES, common.INSERT_OUTBOX, common.MARK_ONE),
)

broker = RabbitBroker(
    os.environ["HOP_AMQP_URI"],
    default_channel=Channel(prefetch_count=max(1, CONCURRENCY // len(QUEUES))),
    apply_types=False,
    log_level=logging.WARNING,
    logger=None,
)
exchange = RabbitExchange(FACT_EXCHANGE, declare=False)
app = FastStream(broker, logger=None)


class State:
    """What is opened once the loop runs."""

    database: asyncpg.Pool


@app.on_startup
async def open_database() -> None:
    """Open the pool before anything is consumed."""
    State.database = await asyncpg.create_pool(
        os.environ["HOP_DATABASE_URI"], min_size=CONCURRENCY, max_size=CONCURRENCY
    )


async def take(body: bytes) -> None:
    """Validate, keep everything in one transaction, publish, mark as published."""
    event = common.read(body)
    async with State.database.acquire() as connection:
        async with connection.transaction():
            fact = await _keep(connection, event)
        if fact:
            await broker.publish(
                orjson.dumps(fact),
                exchange=exchange,
                routing_key=common.routing_key(fact),
                persist=True,
                content_type="application/cloudevents+json",
            )
            await connection.execute(MARK_ONE, fact["id"])


async def _keep(connection: Any, event: dict[str, Any]) -> dict[str, Any] | None:
    if await connection.fetchval(INSERT_INBOX, event["source"], event["id"], event["type"]) is None:
        return None
    decided = decide(event["data"], datetime.now(UTC))
    fact = common.outgoing(event, decided)
    report = decided.report | {"evidence": orjson.dumps(decided.report["evidence"]).decode()}
    await connection.execute(INSERT_REPORT, *(report[name] for name in common.REPORT_COLUMNS))
    await connection.execute(INSERT_MOVES, *(value for row in common.move_rows(decided) for value in row))
    await connection.execute(INSERT_OUTBOX, *common.outbox_row(fact, orjson.dumps(fact).decode()))
    return fact


async def decode(message: RabbitMessage) -> bytes:
    """Leave the body to the schemas."""
    body: bytes = message.body
    return body


for name in QUEUES:
    broker.subscriber(
        RabbitQueue(name, declare=False), ack_policy=AckPolicy.NACK_ON_ERROR, decoder=decode, no_reply=True
    )(take)


def main() -> None:
    """Run until SIGTERM."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(app.run())


if __name__ == "__main__":
    main()
