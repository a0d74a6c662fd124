"""Brings a report from a door to its reception: who brings it, whose it is, and what a line of a batch is answered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from services.intake.directory import DirectoryCache
from services.intake.publishers.model import PUBLISHER, Publisher, identify
from services.intake.receipts import store as receipts
from services.intake.receipts.model import Outcome, Receipt, again
from services.intake.receipts.schemas import shown as shown_receipt
from services.intake.reports.batches import LINE_BYTES, Line
from services.intake.reports.near import NearIndex
from services.intake.reports.receiving import Received, receive
from services.intake.reports.schemas import ReportBody, incident_of
from services.intake.reports.senders import of_person, of_publisher, reporter_given, reporter_of_message
from wangge.chassis.app import App
from wangge.chassis.auth import Principal
from wangge.chassis.claims import claim_of
from wangge.chassis.delivery import OPEN_EXCHANGE, Delivery, read
from wangge.chassis.errors import (
    FieldError,
    Forbidden,
    Infrastructure,
    Permanent,
    Refusal,
    Temporary,
    invalid,
)
from wangge.chassis.faults import classify
from wangge.chassis.http import load, parse_json
from wangge.chassis.logging import get_logger
from wangge.chassis.transaction import Cause, Transaction
from wangge.contracts.envelope import Event

log = get_logger(__name__)

#: Times that a portion of a batch is tried when the database asks to try again.
TRIES = 3

BODY = ReportBody()


@dataclass(frozen=True, slots=True)
class Bringing:
    """What every door needs to bring a report."""

    app: App
    directory: DirectoryCache
    near: NearIndex

    def message(self, tx: Transaction, event: Event) -> Receipt:
        """Take a publisher's message; a known one is answered again. Raises `Permanent` with every wrong field."""
        publisher = identify(event.origin, event.source, self.directory.of(tx).publishers)
        known = receipts.find(tx, publisher.login, event.id)
        if known and known.is_final:
            return again(known)
        try:
            received = self._from_publisher(tx, publisher, event)
        except Refusal as wrong:
            raise Permanent(f"incident.{wrong.code}", wrong.en, _in_message(wrong, event)) from wrong
        receipt = received.receipt(publisher.login, event.id)
        receipts.add(tx, receipt)
        return receipt

    def body(self, tx: Transaction, who: Principal, body: Any) -> Received:
        """Take a report that somebody brings over HTTP. Raises `Invalid` with every wrong field, or `Forbidden`."""
        directory = self.directory.of(tx)
        incident = incident_of(body)
        publisher = self._publisher(tx, who)
        reporter = reporter_given(tx, who, body["reporter"], publisher, incident.reporter_ref)
        sender = of_publisher(publisher) if publisher else of_person(who, reporter)
        if publisher is None and incident.channel not in sender.channels:
            raise _forbidden_channel(incident.channel, sender.channels)
        if reporter.is_anonymous or reporter.is_confidential:
            tx.cause = replace(tx.cause, actor=None)
        return receive(self.app, tx, directory, self.near, incident, sender, reporter)

    def portion(self, who: Principal, lines: list[Line]) -> list[dict[str, Any]]:
        """Take a portion of a batch in one transaction; every line is answered, whatever happens."""
        for _ in range(TRIES):
            try:
                with self.app.database.begin() as tx:
                    return [self._line(tx, who, line) for line in lines]
            except Exception as error:  # noqa: BLE001 (the next portions go on)
                fault = classify(error)
                log.warning("portion of a batch was not taken", lines=len(lines), cause=str(fault))
                if not isinstance(fault, Temporary):
                    break
        why = "unavailable" if isinstance(fault, Temporary | Infrastructure) else "internal error"
        return [_refused(line, [{"field": "body", "message": f"{why}, send it again"}]) for line in lines]

    def _line(self, tx: Transaction, who: Principal, line: Line) -> dict[str, Any]:
        tx.cause = Cause(actor=who.id)
        try:
            if line.body is None:
                raise invalid([{"field": "body", "message": f"a line has at most {LINE_BYTES} bytes"}])
            document = parse_json(line.body)
            if isinstance(document, dict) and "specversion" in document:
                return {"line": line.number, **shown_receipt(self._whole_event(tx, who, line.body))}
            received = self.body(tx, who, load(BODY, document))
        except Refusal as wrong:
            return _refused(line, wrong.errors or [{"field": "body", "message": wrong.en}])
        return {"line": line.number, **_shown(received)}

    def _whole_event(self, tx: Transaction, who: Principal, body: bytes) -> Receipt:
        own = self._publisher(tx, who)
        if own is None:
            raise Forbidden(
                "publisher.key_missing", "需要发布方密钥", "a CloudEvent needs the publisher's API key"
            )
        try:
            event = read(Delivery(body, OPEN_EXCHANGE, login=own.login), self.app.registry)
            return self.message(tx, event)
        except Permanent as wrong:
            if not wrong.errors:
                raise  # not the sender's mistake
            raise invalid(wrong.errors) from wrong

    def _from_publisher(self, tx: Transaction, publisher: Publisher, event: Event) -> Received:
        tx.cause = replace(tx.cause, actor=publisher.ref)
        incident = incident_of(event.data, event.area)
        reporter = reporter_of_message(tx, publisher, incident.reporter_ref)
        sender = of_publisher(publisher)
        return receive(self.app, tx, self.directory.of(tx), self.near, incident, sender, reporter)

    def _publisher(self, tx: Transaction, who: Principal) -> Publisher | None:
        return self.directory.of(tx).publishers.of(who.id) if PUBLISHER in who.roles else None


def _in_message(wrong: Refusal, event: Event) -> list[FieldError]:
    """The wrong fields by their place in the message: in the data, or the area of the envelope."""
    is_enveloped = not event.data.get("area")
    return [
        {**error, "field": "area" if error["field"] == "area" and is_enveloped else f"data.{error['field']}"}
        for error in wrong.errors
    ]


def _forbidden_channel(channel: str, channels: frozenset[str]) -> Forbidden:
    listed = ", ".join(sorted(channels))
    return Forbidden(
        "channel.forbidden",
        f"不能以 {channel} 渠道上报",
        f"your roles report through {listed}",
        errors=[{"field": "channel", "message": f"allowed: {listed}"}],
    )


def _shown(received: Received) -> dict[str, Any]:
    shown: dict[str, Any] = {"outcome": received.outcome}
    if received.outcome is not Outcome.DUPLICATE:
        shown["report_code"] = received.report.code
    if received.of:
        shown["of"] = received.of
    return shown


def _refused(line: Line, errors: Any) -> dict[str, Any]:
    """A line that was not taken: by its number, and by its id where one can be read."""
    found = _id_in(line.body) if line.body else ""
    named = {"message_id": found} if found else {}
    return {"line": line.number, **named, "outcome": Outcome.REJECTED, "errors": errors}


def _id_in(body: bytes) -> str:
    found = claim_of(Delivery(body)).message_id
    return "" if found.startswith("sha256:") else found
