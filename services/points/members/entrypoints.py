"""Opens the door to members: one with score and wallet, and lists of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from services.points.boards import store as boards
from services.points.members import store
from services.points.members.model import Member
from services.points.members.schemas import MemberAnswer, MemberListQuery, MemberPage, MemberQuery
from services.points.periods.model import local_day, period_of
from services.points.sites import store as sites
from services.points.wallets import store as wallets
from wangge.chassis.auth import Principal
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import key_of, page
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

STAFF = frozenset(
    {
        "points_clerk",
        "points_reviewer",
        "branch_secretary",
        "community_secretary",
        "street_leader",
        "auditor",
        "admin",
    }
)
"""Who sees other members' points, within their areas."""


class MemberEntrypoints:
    """Questions about members."""

    app: Any

    @route("GET", "/v1/members/<person_id>", query=MemberQuery(), answer=MemberAnswer(), tag="members")
    def show_member(self, tx: Transaction, ask: Ask, person_id: str) -> dict[str, Any]:
        """A member with their score of a period and their wallet: for themselves and for staff."""
        member = visible_member(tx, ask.who, person_id)
        return _scored(tx, [member], ask.query["period"])[0]

    @route("GET", "/v1/members", may=STAFF, query=MemberListQuery(), answer=MemberPage(), tag="members")
    def list_members(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """The members within the asker's scope, by id."""
        query = ask.query
        after = key_of(query["cursor"], 1) or [""]
        areas = areas_asked(ask.who, query["area"])
        found = store.page_of(tx, areas, query["status"], str(after[0]), query["limit"] + 1)
        scored = _scored(tx, found, query["period"])
        return page(scored, query["limit"], lambda each: (each["person_id"],))


def visible_member(tx: Transaction, who: Principal, person_id: str) -> Member:
    """The member, where the asker is this member or staff for their area. Raises `NotFound`."""
    member = store.find(tx, person_id)
    if who.id != person_id and not (who.has_role(*STAFF) and who.covers(member.area)):
        raise store.not_found(person_id)
    return member


def areas_asked(who: Principal, area: str | None) -> Sequence[Area]:
    """The area named, or the asker's scope. Raises `Forbidden` for an area outside of it."""
    if area is None:
        return who.areas
    who.require_area(area)
    return [Area.parse(area)]


def _scored(tx: Transaction, members: list[Member], period: str | None) -> list[dict[str, Any]]:
    kinds = sites.kinds(tx, {member.site for member in members})
    today = local_day(tx.now)
    places = {
        member.person_id: (member.person_id, period or period_of(today, kinds[member.site]).code)
        for member in members
    }
    evaluations = boards.evaluations(tx, places.values())
    balances = wallets.balances(tx, places)
    return [
        {
            **asdict(member),
            "period": places[member.person_id][1],
            "evaluation": evaluations[places[member.person_id]],
            "wallet": balances[member.person_id],
            "entries_url": f"/v1/members/{member.person_id}/entries",
        }
        for member in members
    ]
