"""What must hold of the whole system once it is quiet, whatever happened before; explains every difference.

Every committed fact has its effect in every subscriber exactly once, nothing has an effect that was not committed,
numbers of an aggregate have no gap, nothing is left in outbox, queue or deferral, and only poison is in quarantine.
"""

from collections import Counter
from importlib import import_module
from typing import Any

import amqp
import psycopg2
import psycopg2.extras

from wangge.chassis import broker
from wangge.chassis.topology import Topology
from wangge.cli.local import SERVICES, LocalSystem
from wangge.contracts.events import REGISTRY

LANES = 4


class Records:
    """Reads the databases and queues of a local system."""

    def __init__(self, system: LocalSystem) -> None:
        self._system = system

    def rows(self, service: str, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of one service's database."""
        uri = self._system.postgres.service_url(service).replace("+psycopg2", "")
        connection = psycopg2.connect(uri)
        try:
            with connection, connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(statement, values)
                return [dict(row) for row in cursor.fetchall()]
        finally:
            connection.close()

    def depth(self, service: str) -> int:
        """Messages in a service's queues, delivered ones not counted."""
        connection = broker.connect((self._system.rabbitmq.url(),))
        channel = connection.channel()
        topology = Topology(service, lanes=LANES)
        waiting = sum(_depth(channel, queue) for queue in [*topology.queues, topology.dead])
        connection.close()
        return waiting


def _depth(channel: amqp.Channel, queue: str) -> int:
    return int(channel.queue_declare(queue, passive=True).message_count)


def subscriptions() -> dict[str, list[str]]:
    """Which services handle each event type, as their classes say."""
    found: dict[str, list[str]] = {}
    for service in SERVICES:
        for event_type in _handled(service):
            found.setdefault(event_type, []).append(service)
    return found


def _handled(service: str) -> set[str]:
    module = import_module(f"services.{service}.service")
    classes = [value for value in vars(module).values() if getattr(value, "name", None) == service]
    return {
        event_type
        for service_class in classes
        for name in dir(service_class)
        if (event_type := getattr(getattr(service_class, name, None), "__wangge_event__", None))
    }


def is_quiet(records: Records) -> bool:
    """Nothing is pending anywhere."""
    for service in SERVICES:
        pending = records.rows(service, "SELECT count(*) AS n FROM outbox WHERE published_at IS NULL")
        deferred = records.rows(service, "SELECT count(*) AS n FROM held_event WHERE state = 'deferred'")
        assert pending[0]["n"] == 0, f"{service}: {pending[0]['n']} facts unpublished"
        assert deferred[0]["n"] == 0, f"{service}: {deferred[0]['n']} events deferred"
        assert records.depth(service) == 0, f"{service}: messages in queues"
    return True


def differences(records: Records, poison: int) -> list[str]:
    """Everything that does not hold, in words; empty when all is well. `poison`: broken messages that were sent."""
    told = {service: _told(records, service) for service in SERVICES}
    found = [*_unheard(records, told), *_gaps(records)]
    quarantined = sum(
        records.rows(service, "SELECT count(*) AS n FROM held_event WHERE state = 'quarantined'")[0]["n"]
        for service in SERVICES
    )
    if quarantined != poison:
        found.append(f"{quarantined} in quarantine, {poison} broken messages were sent")
    return found


def _told(records: Records, service: str) -> dict[str, str]:
    rows = records.rows(service, "SELECT event_id, type FROM outbox")
    return {row["event_id"]: row["type"] for row in rows}


def _unheard(records: Records, told: dict[str, dict[str, str]]) -> list[str]:
    listeners = subscriptions()
    expected: dict[str, Counter[str]] = {service: Counter() for service in SERVICES}
    for producer, facts in told.items():
        for event_id, event_type in facts.items():
            if REGISTRY[event_type].owner == producer:
                for listener in listeners.get(event_type, []):
                    expected[listener][event_id] += 1
    found = []
    for service in SERVICES:
        heard = Counter(
            row["event_id"]
            for row in records.rows(
                service, "SELECT event_id FROM inbox WHERE type <> 'incident.reported.v1'"
            )
        )
        missing, extra = expected[service] - heard, heard - expected[service]
        if missing:
            found.append(
                f"{service} never processed {sum(missing.values())} facts, for example {_some(missing)}"
            )
        if extra:
            found.append(
                f"{service} processed {sum(extra.values())} that nobody told, for example {_some(extra)}"
            )
    return found


def _gaps(records: Records) -> list[str]:
    statement = (
        "SELECT split_part(type, '.', 1) || ':' || subject AS aggregate FROM outbox "
        "GROUP BY 1 HAVING min(sequence) <> 1 OR max(sequence) <> count(*)"
    )
    return [
        f"{service}: the facts of {row['aggregate']} are not numbered without gaps"
        for service in SERVICES
        for row in records.rows(service, statement)
    ]


def _some(counts: Counter[str]) -> list[str]:
    return sorted(counts)[:3]
