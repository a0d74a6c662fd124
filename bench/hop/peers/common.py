"""What the peers share: the same schemas to read with, the same fact to tell, rows in the order of the columns."""

from __future__ import annotations

import os
import re
from itertools import count
from typing import Any

import orjson
from marshmallow import Schema
from psycopg2.extras import Json

from bench.hop.tables import report_moves, reports
from bench.hop.work import FACT, FACT_EXCHANGE, Decided
from wangge.chassis.ids import new_id
from wangge.contracts import quick
from wangge.contracts.areas import Area
from wangge.contracts.envelope import EnvelopeSchema
from wangge.contracts.events.external import IncidentReported
from wangge.contracts.events.intake import ReportAccepted

ENVELOPE, INCIDENT, ACCEPTED = EnvelopeSchema(), IncidentReported(), ReportAccepted()

_is_quick = os.environ.get("HOP_LOADER") == "quick"

#: Loads and dumps by a schema: marshmallow itself, or, for the one variant that says so, the chassis's quick way.
LOAD, DUMP = (quick.load, quick.dump) if _is_quick else (Schema.load, Schema.dump)


def _places(columns: list[str]) -> str:
    return f"({', '.join(['%s'] * len(columns))})"


REPORT_COLUMNS = [column.name for column in reports.c]
MOVE_COLUMNS = [column.name for column in report_moves.c if column.name != "id"]
OUTBOX_COLUMNS = [
    "event_id", "type", "subject", "sequence", "exchange", "routing_key", "partitionkey", "body",
]  # fmt: skip

INSERT_INBOX = (
    "INSERT INTO inbox (source, event_id, type) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING event_id"
)
INSERT_REPORT = f"INSERT INTO reports ({', '.join(REPORT_COLUMNS)}) VALUES {_places(REPORT_COLUMNS)}"
INSERT_MOVES = (
    f"INSERT INTO report_moves ({', '.join(MOVE_COLUMNS)}) "
    f"VALUES {_places(MOVE_COLUMNS)}, {_places(MOVE_COLUMNS)}"
)
INSERT_OUTBOX = f"INSERT INTO outbox ({', '.join(OUTBOX_COLUMNS)}) VALUES {_places(OUTBOX_COLUMNS)}"
MARK_ONE = "UPDATE outbox SET published_at = clock_timestamp() WHERE event_id = %s"


def numbered(statement: str) -> str:
    """The statement with `$1`, `$2` … for its `%s`."""
    numbers = count(1)
    return re.sub("%s", lambda found: f"${next(numbers)}", statement)


def read(body: bytes) -> dict[str, Any]:
    """The event, envelope and data validated. Raises marshmallow's `ValidationError`."""
    return validated(orjson.loads(body))


def validated(document: dict[str, Any]) -> dict[str, Any]:
    """The event whose JSON the framework has read already. Raises marshmallow's `ValidationError`."""
    event: dict[str, Any] = LOAD(ENVELOPE, document)
    event["data"] = LOAD(INCIDENT, event["data"])
    return event


def outgoing(event: dict[str, Any], decided: Decided) -> dict[str, Any]:
    """The fact as a CloudEvent, ready for JSON."""
    return {
        "specversion": "1.0",
        "id": new_id(),
        "source": "/wangge/hop",
        "type": FACT,
        "subject": decided.code,
        "time": decided.report["received_at"].isoformat(),
        "datacontenttype": "application/json",
        "area": decided.report["area"],
        "partitionkey": decided.code,
        "sequence": 1,
        "correlationid": event.get("correlationid") or event["id"],
        "causationid": event["id"],
        "data": DUMP(ACCEPTED, decided.fact),
    }


def routing_key(fact: dict[str, Any]) -> str:
    """Where the fact goes, as every subscriber expects it."""
    return f"report.accepted.{Area.parse(fact['area']).routing}"


def report_row(decided: Decided) -> tuple[Any, ...]:
    """The report's values in the order of `REPORT_COLUMNS`."""
    row = decided.report | {"evidence": Json(decided.report["evidence"])}
    return tuple(row[name] for name in REPORT_COLUMNS)


def move_rows(decided: Decided) -> list[tuple[Any, ...]]:
    """The lines of history in the order of `MOVE_COLUMNS`."""
    return [tuple(move[name] for name in MOVE_COLUMNS) for move in decided.moves]


def outbox_row(fact: dict[str, Any], body: str) -> tuple[Any, ...]:
    """The outbox's values in the order of `OUTBOX_COLUMNS`."""
    subject = fact["subject"]
    return (fact["id"], FACT, subject, 1, FACT_EXCHANGE, routing_key(fact), subject, body)
