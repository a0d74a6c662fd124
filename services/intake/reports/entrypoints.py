"""The doors for reports: the bus, HTTP one by one and by the thousand, operators' decisions, and what cases tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from werkzeug.wrappers import Request, Response

from services.intake.categories.model import classify
from services.intake.directory import DirectoryCache
from services.intake.publishers.model import PUBLISHER, Publisher, identify
from services.intake.receipts import store as receipts
from services.intake.receipts.entrypoints import tell as tell_receipt
from services.intake.receipts.model import Outcome, Receipt, again
from services.intake.receipts.schemas import shown as shown_receipt
from services.intake.reports import store
from services.intake.reports.batches import LINE_BYTES, Line, answers, writable
from services.intake.reports.model import Command, Report, mirror, move, require_own_decision
from services.intake.reports.near import NearIndex
from services.intake.reports.receiving import Received, receive, tell
from services.intake.reports.schemas import (
    AcceptBody,
    RejectBody,
    ReportAnswer,
    ReportBody,
    ReportPage,
    ReportQuery,
    incident_of,
    shown,
)
from services.intake.reports.senders import of_person, of_publisher, reporter_given, reporter_of_message
from services.intake.reports.store import Filter, Step
from wangge.chassis.app import App
from wangge.chassis.auth import Principal
from wangge.chassis.delivery import Delivery, read
from wangge.chassis.errors import Forbidden, Infrastructure, Permanent, Refusal, Temporary, invalid
from wangge.chassis.faults import classify as classify_fault
from wangge.chassis.http import Ask, load, parse_json, route
from wangge.chassis.pages import key_of, page
from wangge.chassis.service import on
from wangge.chassis.transaction import Cause, Transaction
from wangge.contracts.areas import Area
from wangge.contracts.envelope import Event

#: Roles that see every report of their areas; everybody else sees their own.
READERS = (
    "grid_worker",
    "grid_leader",
    "patrol_member",
    "mediator",
    "community_staff",
    "community_secretary",
    "branch_secretary",
    "intake_operator",
    "dispatcher",
    "checker",
    "unit_contact",
    "unit_head",
    "enforcement_officer",
    "enforcement_lead",
    "street_leader",
    "supervisor",
    "auditor",
)

DECIDERS = ("intake_operator", "community_staff")

NDJSON = "application/x-ndjson"

#: Times that a portion of a batch is tried when the database asks to try again.
TRIES = 3

BODY = ReportBody()


class ReportEntrypoints:
    """Takes reports in, decides about those that wait, and mirrors what became of them."""

    app: App
    directory: DirectoryCache
    near: NearIndex

    # from the bus

    @on("incident.reported.v1")
    def on_incident_reported(self, tx: Transaction, event: Event) -> None:
        """Take a publisher's report in. Idempotency key: (publisher, message id), and (publisher, external_no)."""
        directory = self.directory.of(tx)
        publisher = identify(event.origin, event.source, directory.publishers)
        known = receipts.find(tx, publisher.login, event.id)
        if known and known.is_final:
            tell_receipt(tx, again(known))
            return
        try:
            received = self._received(tx, publisher, event)
        except Refusal as wrong:
            raise Permanent(f"incident.{wrong.code}", wrong.en, _in_data(wrong, event)) from wrong
        receipt = received.receipt(publisher.login, event.id)
        receipts.add(tx, receipt)
        tell_receipt(tx, receipt)

    def _received(self, tx: Transaction, publisher: Publisher, event: Event) -> Received:
        tx.cause = replace(tx.cause, actor=publisher.ref)
        incident = incident_of(event.data, event.area)
        reporter = reporter_of_message(tx, publisher, incident.reporter_ref)
        directory = self.directory.of(tx)
        return receive(self.app, tx, directory, self.near, incident, of_publisher(publisher), reporter)

    # over HTTP

    @route("POST", "/v1/reports", body=BODY, answer=ReportAnswer(), status=201, tag="reports")
    def post_report(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """Report an incident; the same `external_no` of the same sender is the same report."""
        received = self._brought(tx, ask.who, ask.body)
        report = received.report
        return shown(report, store.masters_of(tx, [report]).get(report.merged_into or ""))

    def _brought(self, tx: Transaction, who: Principal, body: Any) -> Received:
        directory = self.directory.of(tx)
        incident = incident_of(body)
        publisher = directory.publishers.of(who.id) if PUBLISHER in who.roles else None
        reporter = reporter_given(tx, who, body["reporter"], publisher, incident.reporter_ref)
        sender = of_publisher(publisher) if publisher else of_person(who, reporter)
        if publisher is None and incident.channel not in sender.channels:
            raise _forbidden_channel(incident.channel, sender.channels)
        if reporter.is_anonymous:
            tx.cause = replace(tx.cause, actor=None)
        return receive(self.app, tx, directory, self.near, incident, sender, reporter)

    @route("POST", "/v1/reports/batch", is_raw=True, tag="reports")
    def post_batch(self, who: Principal, request: Request) -> Response:
        """Report incidents as NDJSON, a line each: bare data or whole CloudEvents; a receipt a line comes back."""
        if request.mimetype not in {NDJSON, "application/jsonl"}:
            message = f"send {NDJSON}"
            raise Refusal("body.not_ndjson", f"请以 {NDJSON} 发送", message, 415)
        request.environ["eventlet.minimum_write_chunk_size"] = 1  # a receipt goes out at once
        stream = request.environ["wsgi.input"]
        body = answers(stream, lambda portion: self._portion(who, portion), writable(request.environ))
        return Response(body, content_type=NDJSON)

    def _portion(self, who: Principal, lines: list[Line]) -> list[dict[str, Any]]:
        for attempt in range(1, TRIES + 1):
            try:
                with self.app.database.begin(Cause(actor=who.id)) as tx:
                    return [self._line(tx, who, line) for line in lines]
            except Exception as error:  # noqa: BLE001 (its lines are answered, whatever happened)
                fault = classify_fault(error)
                if isinstance(fault, Temporary) and attempt < TRIES:
                    continue
                code = "unavailable" if isinstance(fault, Temporary | Infrastructure) else "internal"
                return [_not_taken(line, code, "not taken, send it again") for line in lines]
        raise AssertionError("unreachable")

    def _line(self, tx: Transaction, who: Principal, line: Line) -> dict[str, Any]:
        tx.cause = Cause(actor=who.id)
        try:
            if line.body is None:
                raise invalid([{"field": "body", "message": f"a line has at most {LINE_BYTES} bytes"}])
            document = parse_json(line.body)
            if isinstance(document, dict) and "specversion" in document:
                return {"line": line.number, **shown_receipt(self._message(tx, who, line.body))}
            received = self._brought(tx, who, load(BODY, document))
        except Refusal as wrong:
            errors = wrong.errors or ({"field": "body", "message": wrong.en},)
            return {"line": line.number, "outcome": Outcome.REJECTED, "errors": errors, **_id_in(line)}
        answer = {"line": line.number, "outcome": received.outcome, "report_code": received.report.code}
        if received.of:
            answer["of"] = received.of
        return answer

    def _message(self, tx: Transaction, who: Principal, body: bytes) -> Receipt:
        """Take a whole CloudEvent in, as the bus would: answered once by its id. Raises `Invalid`."""
        publishers = self.directory.of(tx).publishers
        own = publishers.of(who.id) if PUBLISHER in who.roles else None
        if own is None:
            raise Forbidden(
                "publisher.key_missing", "需要发布方密钥", "a CloudEvent needs the publisher's API key"
            )
        try:
            event = read(Delivery(body, login=who.id.removeprefix("publisher:")), self.app.registry)
            publisher = identify(event.origin, event.source, publishers)
        except Permanent as wrong:
            raise invalid(wrong.errors) from wrong
        if publisher.ref != who.id:
            raise Forbidden(
                "publisher.key_missing", "需要发布方密钥", "a CloudEvent needs the publisher's API key"
            )
        known = receipts.find(tx, publisher.login, event.id)
        if known and known.is_final:
            return again(known)
        receipt = self._received(tx, publisher, event).receipt(publisher.login, event.id)
        receipts.add(tx, receipt)
        return receipt

    @route("GET", "/v1/reports", query=ReportQuery(), may=READERS, answer=ReportPage(), tag="reports")
    def list_reports(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """Reports of one's areas, the latest first."""
        query = ask.query
        key = key_of(query["cursor"], 2)
        after = (_instant(key[0]), key[1]) if key else None
        area = Area.parse(query["area"]) if query["area"] else None
        chosen = Filter(ask.who.areas, area, query["status"], query["channel"])
        found = store.listed(tx, chosen, after, query["limit"] + 1)
        masters = store.masters_of(tx, found)
        rows = [shown(report, masters.get(report.merged_into or "")) for report in found]
        return page(rows, query["limit"], lambda row: (row["received_at"].isoformat(), row["code"]))

    @route("GET", "/v1/reports/<code>", answer=ReportAnswer(), tag="reports")
    def show_report(self, tx: Transaction, ask: Ask, code: str) -> dict[str, Any]:
        """One report: of one's areas, or one's own."""
        report = store.find(tx, code)
        if not _may_see(ask.who, report):
            raise store.no_report(code)
        return shown(report, store.masters_of(tx, [report]).get(report.merged_into or ""))

    @route(
        "POST",
        "/v1/reports/<code>/accept",
        may=DECIDERS,
        body=AcceptBody(),
        answer=ReportAnswer(),
        tag="reports",
    )
    def accept_report(self, tx: Transaction, ask: Ask, code: str) -> dict[str, Any]:
        """Find a waiting report true: it becomes a case."""
        report = self._decidable(tx, ask, code)
        category = ask.body["category"] or report.category
        self._require_category(tx, report, category)
        urgency = ask.body["urgency"] or report.urgency
        accepted = move(report, Command.ACCEPT, category=category, urgency=urgency)
        self._moved(tx, ask.who, report, accepted, Command.ACCEPT, ask.body["note"])
        if category != report.category and accepted.incident.has_point:
            self.near.add(tx, self.app.redis, accepted)
        return shown(accepted)

    @route(
        "POST",
        "/v1/reports/<code>/reject",
        may=DECIDERS,
        body=RejectBody(),
        answer=ReportAnswer(),
        tag="reports",
    )
    def reject_report(self, tx: Transaction, ask: Ask, code: str) -> dict[str, Any]:
        """Turn a waiting report down, and with it those that were merged into it; each reporter is told why."""
        report = self._decidable(tx, ask, code)
        joined = store.merged_into(tx, code)
        for each in [report, *joined]:
            rejected = move(each, Command.REJECT, reason=ask.body["reason"], reply=ask.body["reply"])
            self._moved(tx, ask.who, each, rejected, Command.REJECT, ask.body["reason"])
        return shown(store.find(tx, code))

    def _decidable(self, tx: Transaction, ask: Ask, code: str) -> Report:
        store.lock_near(tx)  # nobody joins it while it is being decided about
        report = store.find(tx, code, lock=True)
        if not ask.who.covers(report.area):
            raise store.no_report(code)
        ask.expect_version(report.version)
        require_own_decision(report)
        return report

    def _require_category(self, tx: Transaction, report: Report, category: str) -> None:
        community = self.directory.of(tx).communities[report.community]
        if classify(category, "", community.categories, community.site.default_category) is None:
            message = f"{category} is no category of {community.label}"
            raise invalid([{"field": "category", "message": message}])

    @staticmethod
    def _moved(
        tx: Transaction, who: Principal, before: Report, after: Report, command: Command, note: str | None
    ) -> None:
        store.save(tx, after, Step(command, before.status, after.status, f"person:{who.id}", note))
        tell(tx, after)

    # what the case tells

    @on("case.filed.v1")
    def on_case_filed(self, tx: Transaction, event: Event) -> None:
        """Note the case of a report. Idempotency key: the event id, and the case's sequence."""
        self._mirror(tx, event, Command.FILE)

    @on("case.closed.v1")
    def on_case_closed(self, tx: Transaction, event: Event) -> None:
        """Note that a report's case was closed. Idempotency key: the event id, and the case's sequence."""
        self._mirror(tx, event, Command.CLOSE)

    @on("case.reopened.v1")
    def on_case_reopened(self, tx: Transaction, event: Event) -> None:
        """Note that a report's case is open again. Idempotency key: the event id, and the case's sequence."""
        self._mirror(tx, event, Command.REOPEN)

    def _mirror(self, tx: Transaction, event: Event, command: Command) -> None:
        if command is Command.REOPEN:
            store.lock_near(tx)  # before the report's own lock, as everywhere
        report = store.find(tx, event.data["report_code"], lock=True)
        after = mirror(report, command, event.data["case_no"], event.sequence)
        if after is report:
            return
        step = Step(command, report.status, after.status, "dispatch", event.data["case_no"])
        store.save(tx, after, step if after.status is not report.status else None)
        if command is Command.REOPEN and after.is_open and after.incident.has_point:
            self.near.add(tx, self.app.redis, after)


def _may_see(who: Principal, report: Report) -> bool:
    is_own = report.sender in {who.id, f"person:{who.id}"} or report.reporter_ref == f"person:{who.id}"
    return is_own or (who.has_role(*READERS) and who.covers(report.area))


def _in_data(wrong: Refusal, event: Event) -> list[dict[str, str]]:
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


def _not_taken(line: Line, code: str, message: str) -> dict[str, Any]:
    errors = [{"field": "body", "message": f"{code}: {message}"}]
    return {"line": line.number, "outcome": Outcome.REJECTED, "errors": errors, **_id_in(line)}


def _id_in(line: Line) -> dict[str, Any]:
    """The message id in a line that was not taken, where one can be read."""
    try:
        document = orjson.loads(line.body or b"")
    except orjson.JSONDecodeError:
        return {}
    found = document.get("id") if isinstance(document, dict) else None
    return {"message_id": found} if isinstance(found, str) else {}


def _instant(text: Any) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError) as wrong:
        raise invalid([{"field": "cursor", "message": "not a cursor of this list"}]) from wrong
