"""Opens the door to score entries: what events credit, what clerks record, what reviewers decide."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from services.points.entries import posting, store
from services.points.entries.model import (
    Decision,
    Entry,
    EntryState,
    Source,
    check_record,
    post,
    review,
)
from services.points.entries.posting import Posting
from services.points.entries.schemas import (
    EntriesQuery,
    EntryAnswer,
    EntryPage,
    MemberEntriesQuery,
    RecordBody,
    ReverseBody,
    ReviewBody,
)
from services.points.members import store as members
from services.points.members.entrypoints import STAFF, areas_asked, visible_member
from services.points.members.store import Credited
from services.points.periods.model import local_day, period_of
from services.points.rule_sets import store as rule_sets
from services.points.rule_sets.model import RuleItem
from wangge.chassis.errors import invalid
from wangge.chassis.http import Ask, route
from wangge.chassis.ids import new_id
from wangge.chassis.pages import key_of, page
from wangge.chassis.service import on
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area
from wangge.contracts.envelope import Event

RULES = "rule_set"
"""Who records what an event posts."""


class EntryEntrypoints:
    """Events, commands and questions about score entries."""

    app: Any

    @on("case.closed.v1")
    def on_case_closed(self, tx: Transaction, event: Event) -> None:
        """Credit the members who helped by the automatic items of their rule set.

        Idempotency key: (event id, item, person). A closing that was undone already posts nothing, so a reopening
        may arrive before the closing that it undoes.
        """
        due = _due(tx, event)
        if due:
            Posting(tx, self.app.redis).post_at_end(due)

    @on("case.reopened.v1")
    def on_case_reopened(self, tx: Transaction, event: Event) -> None:
        """Take back what this closing of the case, and those before it, have posted.

        Idempotency key: the highest undone closing of the case; an entry is taken back once.
        """
        case_no, closing = event.data["case_no"], event.data["closing"]
        posts = Posting(tx, self.app.redis)
        posts.post_left()
        posting.lock(tx)
        store.undo_closings(tx, case_no, closing)
        standing = store.standing_of_case(tx, case_no, closing)
        if standing:
            posts.take_back(standing, RULES, f"案件重开，第 {closing} 次结案不再有效")

    @route(
        "POST",
        "/v1/entries",
        may={"points_clerk"},
        body=RecordBody(),
        answer=EntryAnswer(),
        status=201,
        tag="entries",
    )
    def record_entry(self, tx: Transaction, ask: Ask) -> Entry:
        """Record an entry for a member; it counts once somebody else has reviewed it."""
        body = ask.body
        found = members.credited(tx, [body["person_id"]], body["occurred_on"])
        credited = next((each for each in found if ask.who.covers(each.member.area)), None)
        if credited is None:
            raise invalid([{"field": "person_id", "message": "no member within your scope is scored then"}])
        rules = rule_sets.get(tx, [credited.rule_set_id])[credited.rule_set_id]
        item = check_record(
            rules.item(body["item"]),
            body["value"],
            body["evidence"],
            body["occurred_on"],
            local_day(tx.now),
        )
        entry = _recorded(credited, item, ask, tx.now)
        store.add(tx, [entry])
        return entry

    @route("GET", "/v1/entries", may=STAFF, query=EntriesQuery(), answer=EntryPage(), tag="entries")
    def list_entries(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """Entries of members within the asker's scope, the newest first."""
        return _page(tx, ask.query, ask.query["person_id"], areas_asked(ask.who, ask.query["area"]))

    @route("GET", "/v1/entries/<entry_id>", answer=EntryAnswer(), tag="entries")
    def show_entry(self, tx: Transaction, ask: Ask, entry_id: str) -> Entry:
        """One entry."""
        return self._visible(tx, ask, entry_id)

    @route(
        "GET",
        "/v1/members/<person_id>/entries",
        query=MemberEntriesQuery(),
        answer=EntryPage(),
        tag="members",
    )
    def list_member_entries(self, tx: Transaction, ask: Ask, person_id: str) -> dict[str, Any]:
        """A member's entries, the newest first."""
        visible_member(tx, ask.who, person_id)
        return _page(tx, ask.query, person_id, None)

    @route(
        "POST",
        "/v1/entries/<entry_id>/review",
        may={"points_reviewer"},
        body=ReviewBody(),
        answer=EntryAnswer(),
        tag="entries",
    )
    def review_entry(self, tx: Transaction, ask: Ask, entry_id: str) -> Entry:
        """Post or refuse a recorded entry; whoever recorded it may not."""
        entry = self._to_decide(tx, ask, entry_id)
        decision = Decision(ask.body["decision"])
        reviewed = review(entry, decision, ask.who.id, tx.now, ask.body["note"])
        store.save(tx, reviewed)
        if decision is Decision.REFUSE:
            return reviewed
        period = posting.open_periods(tx, [entry])[entry.site, entry.period]
        return Posting(tx, self.app.redis).post(post(reviewed, period, tx.now))

    @route(
        "POST",
        "/v1/entries/<entry_id>/reverse",
        may={"points_reviewer"},
        body=ReverseBody(),
        answer=EntryAnswer(),
        tag="entries",
    )
    def reverse_entry(self, tx: Transaction, ask: Ask, entry_id: str) -> Entry:
        """Take a posted entry back by a counter-entry."""
        entry = self._to_decide(tx, ask, entry_id)
        (taken_back,) = Posting(tx, self.app.redis).take_back([entry], ask.who.id, ask.body["reason"])
        return taken_back

    def _to_decide(self, tx: Transaction, ask: Ask, entry_id: str) -> Entry:
        """The entry as it stands once nobody else posts."""
        ask.who.require_area(self._visible(tx, ask, entry_id).area)
        posting.lock(tx)
        entry = store.find(tx, entry_id)
        ask.expect_version(entry.version)
        return entry

    @staticmethod
    def _visible(tx: Transaction, ask: Ask, entry_id: str) -> Entry:
        entry = store.find(tx, entry_id)
        if entry.person_id != ask.who.id and not (ask.who.has_role(*STAFF) and ask.who.covers(entry.area)):
            raise store.not_found(entry_id)
        return entry


def _due(tx: Transaction, event: Event) -> list[Entry]:
    """The entries that a closing posts: by member and item, each once, whatever parts the member had in the case."""
    data = event.data
    parts = defaultdict(set)
    for helper in data["helpers"]:
        parts[helper["person_id"]].add(helper["part"])
    if not parts:
        return []
    day = local_day(data["at"])
    credited = members.credited(tx, parts, day)
    rules = rule_sets.get(tx, {each.rule_set_id for each in credited})
    return [
        Entry(
            entry_id=new_id(),
            person_id=each.member.person_id,
            site=each.member.site,
            area=each.member.area,
            item=item.code,
            part=item.part,
            value=item.value,
            rule_set_id=each.rule_set_id,
            period=period_of(day, each.period_kind).code,
            occurred_on=day,
            state=EntryState.POSTED,
            source=Source.EVENT,
            recorded_by=RULES,
            recorded_at=tx.now,
            posted_at=tx.now,
            event_id=event.id,
            case_no=data["case_no"],
            closing=data["closing"],
        )
        for each in credited
        for item in rules[each.rule_set_id].due(
            "case.closed", parts[each.member.person_id], data["channel"], data["category"]
        )
    ]


def _recorded(credited: Credited, item: RuleItem, ask: Ask, now: datetime) -> Entry:
    body, member = ask.body, credited.member
    return Entry(
        entry_id=new_id(),
        person_id=member.person_id,
        site=member.site,
        area=member.area,
        item=item.code,
        part=item.part,
        value=item.value if body["value"] is None else body["value"],
        rule_set_id=credited.rule_set_id,
        period=period_of(body["occurred_on"], credited.period_kind).code,
        occurred_on=body["occurred_on"],
        state=EntryState.RECORDED,
        source=Source.MANUAL,
        recorded_by=ask.who.id,
        recorded_at=now,
        evidence=tuple(body["evidence"]),
        note=body["note"],
    )


def _page(
    tx: Transaction, query: Mapping[str, Any], person_id: str | None, areas: Collection[Area] | None
) -> dict[str, Any]:
    before = key_of(query["cursor"], 1)
    filters = {name: query[name] for name in ("period", "state", "item")} | {"person_id": person_id}
    rows = store.page_of(tx, filters, areas, str(before[0]) if before else None, query["limit"] + 1)
    return page(rows, query["limit"], lambda entry: (entry.entry_id,))
