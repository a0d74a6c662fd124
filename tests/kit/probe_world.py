"""A world for the probe: one database, one virtual host, any number of processes, and the checker."""

import signal
from pathlib import Path
from typing import Any

import orjson

from kit.ledger import Ledger
from kit.probing import THING_TOLD, ProbeProcess, sql, told
from kit.publishing import Outgoing, publish_all
from kit.quiescence import nothing_lost_nothing_doubled
from kit.reading import Reader
from kit.records import Records
from wangge.chassis.ids import new_id
from wangge.cli.local import LocalSystem


class ProbeWorld:
    """Processes of the probe on one database and one virtual host, what the world told them, and the checker."""

    def __init__(
        self, servers: LocalSystem, database_uri: str, amqp_uri: str, redis_uri: str, directory: Path
    ) -> None:
        self.servers = servers
        self.database_uri = database_uri
        self.amqp_uri = amqp_uri
        self.ledger = Ledger(owner="world")
        self.reader = Reader(
            {"probe": database_uri}, servers.rabbitmq, {THING_TOLD: ("probe",)}, amqp_uri=amqp_uri
        )
        self._redis_uri = redis_uri
        self._directory = directory
        self._processes: list[ProbeProcess] = []

    def process(self) -> ProbeProcess:
        """A further process, not started yet."""
        log = self._directory / f"probe-{len(self._processes) + 1}.log"
        keys_dir = self.servers.keys_dir
        made = ProbeProcess(self.database_uri, self.amqp_uri, self._redis_uri, keys_dir, log)
        self._processes.append(made)
        return made

    def started(self, **env: str) -> ProbeProcess:
        """A further process that runs."""
        made = self.process()
        made.start(**env)
        return made

    def tell(self, *things: dict[str, Any], in_order: bool = True) -> list[dict[str, Any]]:
        """Publish things that must take effect once, in the order of their keys; answers the events."""
        events = [told(new_id(), thing) for thing in things]
        self.ledger.good(*events, in_order=in_order)
        self.publish(*events)
        return events

    def tell_poison(self, *poison: dict[str, Any] | bytes) -> None:
        """Publish what must be parked: raw bodies, or events whose handler fails for good."""
        self.ledger.poison(*poison)
        self.publish(*poison)

    def publish(self, *messages: dict[str, Any] | bytes) -> None:
        """Publish events and raw bodies without noting them."""
        publish_all(self.amqp_uri, map(_outgoing, messages))

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of the probe's database."""
        return sql(self.database_uri, statement, *values)

    def effects(self) -> int:
        """How many things took effect."""
        return int(self.sql("SELECT count(*) AS n FROM effect")[0]["n"])

    def mend(self, mood: str) -> None:
        """Let the handler behave from now on where it misbehaved for `mood`."""
        self.sql("INSERT INTO mended VALUES (%s) ON CONFLICT DO NOTHING", mood)

    def nothing_lost_nothing_doubled(self, seconds: float = 120.0) -> Records:
        """The end of every test: the probe comes to rest and the checker has no complaint."""
        return nothing_lost_nothing_doubled(self.reader, self.ledger, seconds)

    def stop(self) -> None:
        """End all processes."""
        for process in self._processes:
            process.stop(signal.SIGKILL)


def _outgoing(message: dict[str, Any] | bytes) -> Outgoing:
    if isinstance(message, bytes):
        return Outgoing(message, "world.events", "thing.told.14.08.02")
    key = message.get("partitionkey", "")
    return Outgoing(orjson.dumps(message), "world.events", "thing.told.14.08.02", {"partitionkey": key})
