"""The door to cases: what intake tells becomes a case, people move it, and time itself tells what is overdue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from services.dispatch.cases import closing, conditions, facts, filing, handling, listing, schemas, store
from services.dispatch.cases.batches import Batch
from services.dispatch.cases.conditions import MAY
from services.dispatch.cases.filing import Report
from services.dispatch.cases.listing import Sight
from services.dispatch.cases.model import Actor, Case, CaseState, Command, Moved
from services.dispatch.cases.store import Reporter, Serials
from services.dispatch.directory import store as directory
from services.dispatch.directory.model import Person
from services.dispatch.sites import store as sites
from services.dispatch.sites.model import Site
from wangge.chassis.app import App
from wangge.chassis.errors import Conflict, Permanent, Refusal, Temporary, invalid
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import PageQuery, key_of, page
from wangge.chassis.service import every, on
from wangge.chassis.transaction import Transaction
from wangge.contracts.envelope import Event

#: Overdue cases of one turn; the next turn follows at once while there are more.
SWEEP = 200

Decide = Callable[[Case, Actor, datetime], Moved]


def command(given: Command, body: schemas.Body) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a method answer `POST /v1/cases/<case_no>/<command>` to those whose roles may give it."""
    return route(
        "POST",
        f"/v1/cases/<case_no>/{given}",
        may=MAY[given],
        body=body,
        answer=schemas.CaseAnswer(),
        tag="cases",
    )


class CaseEntrypoints:
    """Commands and questions about cases."""

    app: App
    serials: ClassVar[Serials] = Serials()

    # what intake tells

    @on("report.accepted.v1")
    def on_report_accepted(self, tx: Transaction, event: Event) -> None:
        """File a case on an accepted report and dispatch it. Idempotency key: the report code."""
        report, batch = _report(event), Batch.of(tx)
        site = batch.site(tx, report.area)
        if site is None:
            raise Temporary(f"no site pack covers the area {report.area} yet")
        category = batch.category(tx, site, report.category)
        try:
            steps = filing.file(report, self._number(report, tx.now), site, category, tx.now)
        except Refusal as refusal:
            # an accepted report is never dropped: an operator replays it once the cause is removed
            raise Permanent(refusal.code, refusal.en) from refusal
        batch.add_reporter(report.report_code, _reporter(event))
        batch.file(report.report_code, steps, tx.cause)

    def _number(self, report: Report, now: datetime) -> str:
        at = report.filed_at(now)
        serial = self.serials.take(self.app.database, filing.county_of(report.area), filing.filing_day(at))
        return filing.case_number(report.area, at, serial)

    @on("report.merged.v1")
    def on_report_merged(self, tx: Transaction, event: Event) -> None:
        """Note another reporter of a case, filed or yet to be filed. Idempotency key: both report codes."""
        Batch.of(tx).add_reporter(event.data["into"], _reporter(event))

    # what time tells

    @every(1)
    def sweep_overdue(self, tx: Transaction) -> int:
        """Tell once of every missed deadline: the oldest first, leaving to others what they hold."""
        late = store.due(tx, tx.now, SWEEP)
        for case in late:
            self._tell_overdue(tx, case)
        return len(late)

    def _tell_overdue(self, tx: Transaction, case: Case) -> None:
        found = handling.tell_overdue(case, tx.now)
        if found:
            moved, missed = found
            store.save(tx, case, moved)
            lead = case.lead or sites.find(tx, case.site).lead_of(case.area)
            _tell(tx, [facts.overdue(moved.case, missed, lead, tx.now)])

    # questions

    @route("GET", "/v1/cases", query=schemas.CaseQuery(), answer=schemas.CasePage(), tag="cases")
    def list_cases(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """List the cases in sight, the newest first."""
        actor = _actor(tx, ask)
        query = dict(ask.query)
        limit, after = query.pop("limit"), _after(query.pop("cursor"))
        found = listing.listed(tx, _sight(ask, actor), query, after, limit + 1)
        cut = page(found, limit, lambda case: (case.filed_at.isoformat(), case.case_no))
        return cut | {"items": [_shown(case, actor, tx.now) for case in cut["items"]]}

    @route("GET", "/v1/cases/<case_no>", answer=schemas.CaseAnswer(), tag="cases")
    def get_case(self, tx: Transaction, ask: Ask, case_no: str) -> dict[str, Any]:
        """Show a case, with what the asker may do now."""
        actor = _actor(tx, ask)
        return _shown(_seen(tx, ask, actor, case_no), actor, tx.now)

    @route(
        "GET",
        "/v1/cases/<case_no>/history",
        query=PageQuery(),
        answer=schemas.HistoryPage(),
        tag="cases",
    )
    def get_history(self, tx: Transaction, ask: Ask, case_no: str) -> dict[str, Any]:
        """List a case's history, the oldest line first."""
        _seen(tx, ask, _actor(tx, ask), case_no)
        limit, after = ask.query["limit"], key_of(ask.query["cursor"], 1)
        rows = store.history(tx, case_no, _whole(after[0]) if after else 0, limit + 1)
        return page(rows, limit, lambda row: (row.seq,))

    # commands

    @command(Command.DISPATCH, schemas.DispatchBody())
    def dispatch_case(self, tx: Transaction, ask: Ask, case_no: str) -> dict[str, Any]:
        """Hand a case to its lead unit and assist units."""
        body = ask.body

        def decide(case: Case, actor: Actor, now: datetime) -> Moved:
            conditions.require(case, Command.DISPATCH, actor, now)
            known = directory.find_units(tx, {body["lead"], *body["assist"]})
            conditions.require_units(case, known, body["lead"], body["assist"], body["opinion"])
            site = sites.find(tx, case.site)
            return handling.dispatch(case, site, body["lead"], body["assist"], actor, now, body["opinion"])

        return _carry_out(tx, ask, case_no, decide)

    @command(Command.CLAIM, schemas.ClaimBody())
    def claim_case(self, tx: Transaction, ask: Ask, case_no: str) -> dict[str, Any]:
        """Take an order for one's unit; from the pool the first claim wins."""

        def decide(case: Case, actor: Actor, now: datetime) -> Moved:
            return handling.claim(case, sites.find(tx, case.site), actor, now, ask.body["opinion"])

        return _carry_out(tx, ask, case_no, decide)

    @command(Command.START, schemas.StartBody())
    def start_case(self, tx: Transaction, ask: Ask, case_no: str) -> dict[str, Any]:
        """Arrive and begin."""
        return _carry_out(tx, ask, case_no, partial(handling.start, **ask.body))

    @command(Command.ASSIST_DONE, schemas.AssistDoneBody())
    def finish_assist(self, tx: Transaction, ask: Ask, case_no: str) -> dict[str, Any]:
        """Say that an assist unit has done its part, or excuse it."""
        return _carry_out(tx, ask, case_no, partial(handling.assist_done, **ask.body))

    @command(Command.FEEDBACK, schemas.FeedbackBody())
    def feed_back_case(self, tx: Transaction, ask: Ask, case_no: str) -> dict[str, Any]:
        """Say that it is done, what was done and who helped."""

        def decide(case: Case, actor: Actor, now: datetime) -> Moved:
            moved = handling.feedback(case, actor, now, **ask.body)
            _require_people(tx, "helpers", ask.body["helpers"])
            return moved

        return _carry_out(tx, ask, case_no, decide)

    @command(Command.REJECT_FEEDBACK, schemas.RejectFeedbackBody())
    def reject_feedback(self, tx: Transaction, ask: Ask, case_no: str) -> dict[str, Any]:
        """Send a case back to the unit that says it is done."""
        return _carry_out(tx, ask, case_no, partial(closing.reject_feedback, **ask.body))

    @command(Command.SEND_CHECK, schemas.SendCheckBody())
    def send_check(self, tx: Transaction, ask: Ask, case_no: str) -> dict[str, Any]:
        """Ask somebody else to look whether it is really done."""

        def decide(case: Case, actor: Actor, now: datetime) -> Moved:
            conditions.require(case, Command.SEND_CHECK, actor, now)
            site = sites.find(tx, case.site)
            checker = _checker(tx, case, site, ask.body["checker"])
            return closing.send_check(
                case, site, actor, now, checker.person_id, checker.unit_id, ask.body["opinion"]
            )

        return _carry_out(tx, ask, case_no, decide)

    @command(Command.CHECK, schemas.CheckBody())
    def check_case(self, tx: Transaction, ask: Ask, case_no: str) -> dict[str, Any]:
        """Say whether it is really done."""
        body = ask.body
        is_passed = body["result"] == "pass"
        decide = partial(closing.check, is_passed=is_passed, note=body["note"], evidence=body["evidence"])
        return _carry_out(tx, ask, case_no, decide)

    @command(Command.CLOSE, schemas.CloseBody())
    def close_case(self, tx: Transaction, ask: Ask, case_no: str) -> dict[str, Any]:
        """Close a case and answer its reporters."""
        return _carry_out(tx, ask, case_no, partial(closing.close, **ask.body))

    @command(Command.CLOSE_ON_SPOT, schemas.CloseOnSpotBody())
    def close_case_on_spot(self, tx: Transaction, ask: Ask, case_no: str) -> dict[str, Any]:
        """Settle a small matter where one stands."""
        return _carry_out(tx, ask, case_no, partial(closing.close_on_spot, **ask.body))

    @command(Command.REOPEN, schemas.ReopenBody())
    def reopen_case(self, tx: Transaction, ask: Ask, case_no: str) -> dict[str, Any]:
        """Open a closed case again that turned out not to be solved."""

        def decide(case: Case, actor: Actor, now: datetime) -> Moved:
            return closing.reopen(case, sites.find(tx, case.site), actor, now, ask.body["reason"])

        return _carry_out(tx, ask, case_no, decide)


def _carry_out(tx: Transaction, ask: Ask, case_no: str, decide: Decide) -> dict[str, Any]:
    """The four moves of every command: find it in sight, let it be decided, save, tell."""
    actor = _actor(tx, ask)
    case = _seen(tx, ask, actor, case_no, lock=True)
    ask.expect_version(case.version)
    moved = decide(case, actor, tx.now)
    store.save(tx, case, moved)
    _tell(tx, facts.told_by(moved, _reporters(tx, moved)))
    return _shown(moved.case, actor, tx.now)


def _reporters(tx: Transaction, moved: Moved) -> list[str]:
    """Who is to be answered by a closing; other moves answer nobody."""
    if moved.record.to_state is not CaseState.CLOSED:
        return []
    return store.reporters_to_answer(tx, moved.case.report_code)


def _actor(tx: Transaction, ask: Ask) -> Actor:
    """Who asks, for the unit that the token names, else the directory."""
    unit = ask.who.unit
    if unit is None:
        known = directory.find_people(tx, [ask.who.id]).get(ask.who.id)
        unit = known.unit_id if known else None
    return Actor(ask.who.id, ask.who.roles, unit)


def _sight(ask: Ask, actor: Actor) -> Sight:
    return Sight(ask.who.areas, actor.unit)


def _seen(tx: Transaction, ask: Ask, actor: Actor, case_no: str, lock: bool = False) -> Case:
    """The case, if it is in the asker's sight; else it is as if it were not there."""
    case = store.find(tx, case_no, lock)
    if not _sight(ask, actor).sees(case):
        raise store.unknown(case_no)
    return case


def _shown(case: Case, actor: Actor, now: datetime) -> dict[str, Any]:
    return schemas.shown(case, conditions.allowed(case, actor, now))


def _tell(tx: Transaction, told: list[facts.Fact]) -> None:
    for event_type, data in told:
        tx.record(event_type, data)


def _require_people(tx: Transaction, field: str, person_ids: list[str]) -> None:
    known = directory.find_people(tx, person_ids) if person_ids else {}
    wrong = [
        {"field": f"{field}.{i}", "message": f"there is no person {person_id}"}
        for i, person_id in enumerate(person_ids)
        if person_id not in known
    ]
    if wrong:
        raise invalid(wrong)


def _checker(tx: Transaction, case: Case, site: Site, named: str | None) -> Person:
    """The person named, else the nearest of the site's default checkers who had no hand in it."""
    if named:
        _require_people(tx, "checker", [named])
        return directory.find_people(tx, [named])[named]
    for person in directory.holders(tx, site.default_checkers, case.area):
        if conditions.may_check(case, person.person_id, person.unit_id):
            return person
    raise Conflict(
        "case.no_checker", "没有可指派的核查人，请指定", "nobody may check it by default: name a checker"
    )


def _report(event: Event) -> Report:
    data = event.data
    return Report(
        report_code=data["report_code"],
        channel=data["channel"],
        category=data["category"],
        urgency=data["urgency"],
        area=data["area"],
        summary=data["summary"],
        received_at=data["received_at"],
        reporter=data["reporter"]["ref"],
        is_confidential=data["reporter"]["confidential"],
        location=data.get("location"),
    )


def _reporter(event: Event) -> Reporter:
    data = event.data["reporter"]
    return Reporter(event.data["report_code"], data["ref"], data["wants_reply"], data["confidential"])


def _after(cursor: str | None) -> tuple[datetime, str] | None:
    key = key_of(cursor, 2)
    if key is None:
        return None
    try:
        return datetime.fromisoformat(key[0]), str(key[1])
    except (TypeError, ValueError) as wrong:
        raise _not_a_cursor() from wrong


def _whole(number: Any) -> int:
    if not isinstance(number, int):
        raise _not_a_cursor()
    return number


def _not_a_cursor() -> Refusal:
    return invalid([{"field": "cursor", "message": "not a cursor of this list"}])
