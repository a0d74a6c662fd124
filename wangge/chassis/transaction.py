"""One transaction: state, the facts it tells and the mark of the processed message commit together.

Guarantee: a recorded fact is published if, and only if, the transaction commits. Facts of one aggregate are numbered
without gaps and leave in that order. Limit: what a handler does outside the database is not rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import CursorResult, Executable, TextClause, text

from wangge.chassis.errors import Permanent
from wangge.chassis.ids import new_id, traceparent
from wangge.chassis.logging import get_logger
from wangge.chassis.pipelining import Parameters, Pipeline
from wangge.chassis.rows import as_rows
from wangge.contracts.areas import Area
from wangge.contracts.envelope import Event
from wangge.contracts.registry import Registry

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a transaction happens: the correlation it belongs to, the message before it, who acts, the trace."""

    correlation_id: str | None = None
    causation_id: str | None = None
    actor: str | None = None
    traceparent: str | None = None

    @classmethod
    def of(cls, event: Event) -> Cause:
        """The cause of whatever a handler of `event` records."""
        return cls(event.correlationid or event.id, event.id, event.actor, event.traceparent)


class Transaction:
    """What an entrypoint works with: SQL, the rules' `now`, and `record` for the facts to tell."""

    def __init__(
        self, pipeline: Pipeline, now: datetime, service: str, registry: Registry, cause: Cause
    ) -> None:
        self._pipeline = pipeline
        self.now = now
        self.cause = cause
        self._service = service
        self._registry = registry
        self._recorded: list[tuple[Event, str, str]] = []
        self.is_urgent = False
        """Whether something recorded is to leave at once."""
        self._before_commit: list[Callable[[], None]] = []
        self._last: list[Callable[[], None]] = []
        self._after_commit: list[Callable[[], None]] = []
        self._after_rollback: list[Callable[[], None]] = []

    def execute(self, statement: Executable, parameters: Parameters = None) -> CursorResult[Any]:
        """Run one SQLAlchemy Core statement; a constant text is the quickest (wangge.chassis.pipelining)."""
        return self._pipeline.execute(statement, parameters)

    def write(self, statement: TextClause, parameters: Mapping[str, Any] | None = None) -> None:
        """Run a statement whose answer nobody needs; it travels with the next one (wangge.chassis.pipelining)."""
        self._pipeline.write(statement, parameters)

    def record(
        self,
        event_type: str,
        data: Mapping[str, Any],
        *,
        routing_key: str | None = None,
        actor: str | None = None,
    ) -> Event:
        """Tell the fact `event_type` with `data` (as its contract's schema dumps it) once this transaction commits.

        Raises `Permanent` when the data does not fit the contract: a bug, found before anything is told.
        """
        contract = self._registry[event_type]
        try:
            dumped = contract.dump(data)
        except ValidationError as wrong:
            raise Permanent("contract.broken", f"{event_type}: {wrong.messages}") from wrong
        subject = str(dumped.get(contract.subject, ""))
        area = dumped.get("area")
        event = Event(
            id=new_id(),
            source=f"/wangge/{self._service}",
            type=event_type,
            subject=subject,
            time=self.now,
            data=dumped,
            area=area,
            partitionkey=str(dumped.get(contract.partition) or subject),
            correlationid=self.cause.correlation_id,
            causationid=self.cause.causation_id,
            actor=actor or self.cause.actor,
            traceparent=traceparent(self.cause.traceparent),
            dataschema=contract.dataschema,
        )
        key = routing_key or (f"{contract.name}.{Area.parse(area).routing}" if area else contract.name)
        self._recorded.append((event, contract.on_exchange, key))
        self.is_urgent |= contract.is_urgent
        return event

    def before_commit(self, act: Callable[[], None]) -> None:
        """Do `act` as the last part of this transaction: once for what a whole batch of events has gathered."""
        self._before_commit.append(act)

    def at_last(self, act: Callable[[], None]) -> None:
        """Do `act` after everything else, telling included: what locks a row that many transactions want."""
        self._last.append(act)

    def after_commit(self, act: Callable[[], None]) -> None:
        """Do `act` once the commit has succeeded; it must be repairable by itself if a crash skips it."""
        self._after_commit.append(act)

    def after_rollback(self, act: Callable[[], None]) -> None:
        """Do `act` once nothing was committed, or once that is not known: give back what was taken in memory."""
        self._after_rollback.append(act)

    def flush(self) -> None:
        """Do what was left for the end, number the recorded facts and write them to the outbox."""
        while self._before_commit:
            self._before_commit.pop(0)()
        if self._recorded:
            self._tell()
        for act in self._last:
            act()

    def _tell(self) -> None:
        self.write(_TELL, as_rows([_outgoing(*recorded) for recorded in self._recorded]))

    def committed(self) -> None:
        """Called by the database after the commit: whatever fails now must not look as if nothing had been committed."""
        for act in self._after_commit:
            try:
                act()
            except Exception:
                log.exception("an act after a commit failed")

    def rolled_back(self) -> None:
        """Called by the database after a rollback."""
        for act in self._after_rollback:
            act()


#: Moves the numbers of aggregates on, and writes each fact with its own put in before its data.
_TELL = text(
    "WITH told AS (SELECT *, row_number() OVER () AS n FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given "
    "(aggregate text, event_id text, type text, subject text, exchange text, routing_key text, partitionkey text, "
    "head text, tail text)), "
    "counted AS (SELECT aggregate, count(*) AS number FROM told GROUP BY aggregate), "
    "numbered AS (INSERT INTO event_sequence (aggregate, last) "
    "SELECT aggregate, number FROM counted ORDER BY aggregate "
    "ON CONFLICT (aggregate) DO UPDATE SET last = event_sequence.last + excluded.last RETURNING aggregate, last), "
    "ready AS (SELECT told.*, last - number + row_number() OVER (PARTITION BY aggregate ORDER BY n) AS sequence "
    "FROM told JOIN counted USING (aggregate) JOIN numbered USING (aggregate)) "
    "INSERT INTO outbox (event_id, type, subject, sequence, exchange, routing_key, partitionkey, body) "
    "SELECT event_id, type, subject, sequence, exchange, routing_key, partitionkey, "
    "head || ',\"sequence\":' || sequence || tail FROM ready ORDER BY n"
)


def _aggregate(event: Event) -> str:
    return f"{event.type.partition('.')[0]}:{event.subject}"


def _outgoing(event: Event, exchange: str, routing_key: str) -> dict[str, Any]:
    # no value before the data holds this: a quotation mark in one is written with a backslash
    head, data, tail = event.to_json().decode().partition(',"data":')
    return {
        "aggregate": _aggregate(event),
        "event_id": event.id,
        "type": event.type,
        "subject": event.subject,
        "exchange": exchange,
        "routing_key": routing_key,
        "partitionkey": event.partitionkey,
        "head": head,
        "tail": data + tail,
    }
