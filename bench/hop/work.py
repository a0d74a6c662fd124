"""What every implementation of the hop does with an incident: the same rule, the same rows, the same fact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SENDER = "publisher:hotline12345"

#: Every implementation tells this fact of the published language, on this exchange.
FACT = "report.accepted.v1"
FACT_EXCHANGE = "intake.events"


@dataclass(frozen=True, slots=True)
class Decided:
    """What an incident comes to: a report's row, its two lines of history, and the data of the fact."""

    report: dict[str, Any]
    moves: list[dict[str, Any]]
    fact: dict[str, Any]

    @property
    def code(self) -> str:
        """The report's number, the subject of the fact."""
        code: str = self.report["code"]
        return code


def decide(data: Mapping[str, Any], now: datetime) -> Decided:
    """Accept the incident whose data were loaded by its contract; the number of the report is the sender's own."""
    code = f"BG{now:%Y%m%d}-{int(data['external_no'].rpartition('-')[2]):06d}"
    location = data.get("location") or {}
    report = {
        "code": code,
        "status": "accepted",
        "sender": SENDER,
        "external_no": data["external_no"],
        "channel": data["channel"],
        "title": data.get("title"),
        "text": data["text"],
        "category": data["category"],
        "urgency": data["urgency"],
        "area": data["area"],
        "lng": location.get("lng"),
        "lat": location.get("lat"),
        "address": location.get("address"),
        "evidence": data["evidence"],
        "reporter_ref": f"{SENDER}/{data['reporter_ref']}",
        "occurred_at": data["occurred_at"],
        "received_at": now,
        "version": 1,
    }
    return Decided(report, [_move(report, *step) for step in STEPS], _fact(report, location))


#: Command, state before, state after, who.
STEPS = (("submit", "draft", "submitted", SENDER), ("accept", "submitted", "accepted", "system"))


def _move(report: Mapping[str, Any], command: str, source: str, target: str, actor: str) -> dict[str, Any]:
    return {
        "report_code": report["code"],
        "command": command,
        "source": source,
        "target": target,
        "actor": actor,
        "at": report["received_at"],
    }


def _fact(report: Mapping[str, Any], location: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "report_code": report["code"],
        "channel": report["channel"],
        "category": report["category"],
        "urgency": report["urgency"],
        "area": report["area"],
        "summary": report["title"] or report["text"][:200],
        "location": location,
        "occurred_at": report["occurred_at"],
        "received_at": report["received_at"],
        "reporter": {"ref": report["reporter_ref"], "confidential": False, "wants_reply": True},
        "evidence": report["evidence"],
    }
