"""The doors for reports: the bus, HTTP one by one and by the thousand, operators' decisions, and what cases tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from werkzeug.wrappers import Request, Response

from services.intake.categories.model import classify
from services.intake.directory import DirectoryCache
from services.intake.publishers.pace import Pace
from services.intake.receipts.model import Outcome
from services.intake.receipts.telling import tell as tell_receipt
from services.intake.reports import near_store, store
from services.intake.reports.batches import answers, writable
from services.intake.reports.bringing import BODY, Bringing
from services.intake.reports.foreseeing import foresee_messages
from services.intake.reports.lines import Lines
from services.intake.reports.mirroring import CaseFact, note
from services.intake.reports.model import Command, Report, move, require_own_decision
from services.intake.reports.near import NearIndex
from services.intake.reports.receiving import tell
from services.intake.reports.schemas import (
    AcceptBody,
    RejectBody,
    ReportAnswer,
    ReportPage,
    ReportQuery,
    shown,
)
from services.intake.reports.store import Filter, Step
from wangge.chassis.app import App
from wangge.chassis.auth import Principal
from wangge.chassis.errors import Refusal, invalid
from wangge.chassis.held import forget
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import key_of, page
from wangge.chassis.service import on
from wangge.chassis.transaction import Transaction
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


class ReportEntrypoints:
    """Takes reports in, decides about those that wait, and mirrors what became of them."""

    app: App
    directory: DirectoryCache
    near: NearIndex
    pace: Pace

    @property
    def bringing(self) -> Bringing:
        """The way from a door to the reception."""
        return Bringing(self.app, self.directory, self.near, self.pace)

    def prepare(self, tx: Transaction, events: Sequence[Event]) -> None:
        """Ask once for what the incidents of a batch need."""
        foresee_messages(tx, self.directory, events)

    @on("incident.reported.v1")
    def on_incident_reported(self, tx: Transaction, event: Event) -> None:
        """Take a publisher's report in. Idempotency key: (publisher, message id), and (publisher, external_no)."""
        receipt = self.bringing.message(tx, event)
        if receipt.outcome is Outcome.REFUSED:
            forget(tx, event)
        tell_receipt(tx, receipt)

    def foresee(self, tx: Transaction, asks: Sequence[Ask]) -> None:
        """Ask once for what the reports that come together need."""
        self.bringing.foresee(tx, [(ask.who, ask.body) for ask in asks])

    @route("POST", "/v1/reports", body=BODY, answer=ReportAnswer(), status=201, tag="reports", shared=foresee)
    def post_report(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """Report an incident; the same `external_no` of the same sender is the same report."""
        self.bringing.keep_pace(tx, ask.who)
        report = self.bringing.body(tx, ask.who, ask.body).report
        return shown(report, store.masters_of(tx, [report]).get(report.merged_into or ""))

    @route("POST", "/v1/reports/batch", is_raw=True, tag="reports")
    def post_batch(self, who: Principal, request: Request) -> Response:
        """Report incidents as NDJSON, a line each: bare data or whole CloudEvents; a receipt a line comes back."""
        if request.mimetype != NDJSON:
            raise Refusal("body.not_ndjson", f"请以 {NDJSON} 发送", f"send {NDJSON}", 415)
        request.environ["eventlet.minimum_write_chunk_size"] = 1  # a receipt goes out at once
        stream = request.environ["wsgi.input"]
        take = partial(Lines(self.bringing).portion, who)
        return Response(answers(stream, take, writable(request.environ)), content_type=NDJSON)

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
        report = store.find(tx, code, lock=True)
        # nobody joins it while it is being decided about
        near_store.lock_places(tx, {near_store.place_of(report)})
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
        fact = CaseFact(command, event.data["report_code"], event.data["case_no"], event.sequence)
        note(tx, fact, self.near, self.app.redis)


def _may_see(who: Principal, report: Report) -> bool:
    is_own = report.sender in {who.id, f"person:{who.id}"} or report.reporter_ref == f"person:{who.id}"
    return is_own or (who.has_role(*READERS) and who.covers(report.area))


def _instant(text: Any) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError) as wrong:
        raise invalid([{"field": "cursor", "message": "not a cursor of this list"}]) from wrong
