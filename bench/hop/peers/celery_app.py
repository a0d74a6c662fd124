"""The hop on Celery 5: a task an event, late acknowledgement, confirmed publishing, psycopg2."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg2
from celery import Celery
from kombu import Queue

from bench.hop.implementations import CELERY_TASK
from bench.hop.peers import common
from bench.hop.work import FACT_EXCHANGE, decide

app = Celery("hop", broker=os.environ["HOP_AMQP_URI"])
app.conf.update(
    task_queues=[
        Queue(name, no_declare=True, queue_arguments={"x-queue-type": "quorum"})
        for name in os.environ["HOP_QUEUES"].split(",")
    ],
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    broker_transport_options={"confirm_publish": True},
    broker_pool_limit=None,
    worker_prefetch_multiplier=int(os.environ["HOP_PREFETCH"]),
    worker_enable_remote_control=False,
    worker_send_task_events=False,
)

_own = threading.local()


@app.task(name=CELERY_TASK)
def report_incident(document: dict[str, Any]) -> None:
    """Validate, keep everything in one transaction, publish, mark as published."""
    event = common.validated(document)
    database = _database()
    with database, database.cursor() as cursor:
        fact = _keep(cursor, event)
    if fact:
        _publish(fact)
        with database, database.cursor() as cursor:
            cursor.execute(common.MARK_ONE, (fact["id"],))


def _database() -> Any:
    """The connection of this process and thread."""
    if not hasattr(_own, "database"):
        _own.database = psycopg2.connect(os.environ["HOP_DATABASE_URI"])
    return _own.database


def _keep(cursor: Any, event: dict[str, Any]) -> dict[str, Any] | None:
    cursor.execute(common.INSERT_INBOX, (event["source"], event["id"], event["type"]))
    if not cursor.rowcount:
        return None
    decided = decide(event["data"], datetime.now(UTC))
    fact = common.outgoing(event, decided)
    cursor.execute(common.INSERT_REPORT, common.report_row(decided))
    cursor.execute(common.INSERT_MOVES, [value for row in common.move_rows(decided) for value in row])
    cursor.execute(common.INSERT_OUTBOX, common.outbox_row(fact, orjson.dumps(fact).decode()))
    return fact


def _publish(fact: dict[str, Any]) -> None:
    if not hasattr(_own, "producer"):
        _own.producer = app.amqp.Producer(app.connection_for_write())
    _own.producer.publish(
        fact, exchange=FACT_EXCHANGE, routing_key=common.routing_key(fact), serializer="json", retry=True
    )
