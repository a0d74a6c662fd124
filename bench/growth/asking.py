"""What people and machines ask of the services over HTTP, as operations to time.

A page is cut so short that the smallest street fills it, too: what is compared is the work, not the rows shown.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.growth import street
from bench.growth.filling import DAYS
from bench.growth.timing import Operation, Run, timed
from bench.growth.towns import Town, Who, people
from wangge.chassis.pages import cursor_of

WHO = people()

#: Things that a sample of ids holds.
SAMPLE = 400

CASES = "SELECT case_no, report_code FROM cases WHERE area LIKE %s ORDER BY random() LIMIT %s"

Query = Callable[[random.Random], dict[str, Any]]


def operations() -> dict[str, Operation]:
    """By name: every question, as those ask it who ask it most."""
    return {**_of_dispatch(), **_of_intake(), **_of_points(), **_of_notify(), **_of_machines()}


def _of_dispatch() -> dict[str, Operation]:
    def cases(who: str, query: Query = lambda _: {}) -> Operation:
        return _listing(who, "dispatch", "/v1/cases", query)

    now = datetime.now(UTC).isoformat()
    return {
        "cases: first page, a grid's worker": cases("worker"),
        "cases: first page, a unit's contact": cases("contact"),
        "cases: first page, a community": cases("secretary"),
        "cases: first page, the street": cases("dispatcher"),
        "cases: first page, everywhere": cases("province"),
        "cases: deep page, a unit's contact": cases("contact", _deep),
        "cases: deep page, a community": cases("secretary", _deep),
        "cases: a unit's in hand": cases("contact", lambda _: {"state": "handling", "limit": 8}),
        "cases: waiting to be claimed, the street": cases("dispatcher", lambda _: {"state": "dispatched"}),
        "cases: closed, a community": cases("secretary", lambda _: {"state": "closed"}),
        "cases: overdue, the street": cases(
            "dispatcher", lambda _: {"state": "claimed", "due_before": now, "limit": 15}
        ),
        "cases: overdue, a unit": cases(
            "contact", lambda _: {"state": "dispatched", "due_before": now, "limit": 4}
        ),
        "cases: one grid, the street": cases(
            "dispatcher", lambda chance: {"area": _a_grid(chance), "limit": 15}
        ),
        "cases: one lead, the street": cases(
            "dispatcher", lambda chance: {"lead": f"g{chance.randint(1, 9)}-gongdian", "limit": 20}
        ),
        "cases: by report code": _of_sample(
            "secretary", "dispatch", "/v1/cases", CASES, lambda row: {"report_code": row[1]}
        ),
        "case: show": _of_sample("secretary", "dispatch", "/v1/cases/{0}", CASES),
        "case: history": _of_sample("secretary", "dispatch", "/v1/cases/{0}/history", CASES),
    }


def _of_intake() -> dict[str, Operation]:
    def reports(who: str, query: Query = lambda _: {}) -> Operation:
        return _listing(who, "intake", "/v1/reports", query)

    return {
        "reports: first page, a grid's worker": reports("worker"),
        "reports: first page, a community": reports("operator"),
        "reports: first page, the street": reports("dispatcher"),
        "reports: deep page, a community": reports("operator", _deep),
        "reports: waiting for a decision, a community": reports(
            "operator", lambda _: {"status": "submitted"}
        ),
        "reports: waiting for a decision, the street": reports(
            "dispatcher", lambda _: {"status": "submitted"}
        ),
        "reports: under way, a grid's worker": reports("worker", lambda _: {"status": "filed", "limit": 1}),
        "reports: one channel, a community": reports("operator", lambda _: {"channel": "patrol"}),
        "reports: a channel nobody used, a community": reports(
            "operator", lambda _: {"channel": "leader_batch"}
        ),
        "reports: one grid, the street": reports(
            "dispatcher", lambda chance: {"area": _a_grid(chance), "limit": 15}
        ),
        "report: post with a point (near search)": _near,
        "receipt: by message": _receipt,
    }


def _of_points() -> dict[str, Operation]:
    return {
        "entries: first page, a community": _listing("reviewer", "points", "/v1/entries"),
        "entries: of an old period": _listing(
            "reviewer", "points", "/v1/entries", lambda _: {"period": _old_period()}
        ),
        "entries: waiting for review": _listing(
            "reviewer", "points", "/v1/entries", lambda _: {"state": "recorded"}
        ),
        "entries: of a member": _listing(
            "reviewer", "points", "/v1/members/g3-member-7/entries", lambda _: {"limit": 1}
        ),
        "wallet: of a member": _listing(
            "reviewer", "points", "/v1/members/g3-member-7/wallet", lambda _: {"limit": 1}
        ),
        "board: a community": _listing("reviewer", "points", f"/v1/boards/{_period()}"),
        "board: a county (cases / 20 members)": _board_of_county(lambda _: {}),
        "board: a county, deep page": _board_of_county(
            lambda chance: {"cursor": cursor_of(f"{chance.randint(5, 95)}", "")}
        ),
    }


def _of_notify() -> dict[str, Operation]:
    def messages(who: str, query: Query = lambda _: {}) -> Operation:
        return _listing(who, "notify", "/v1/messages", query)

    return {
        "messages: one's own": messages("member", lambda _: {"limit": 2}),
        "messages: first page, a community": messages("secretary"),
        "messages: given up, a community": messages("secretary", lambda _: {"state": "dead"}),
        "messages: about a case": _of_sample(
            "secretary",
            "notify",
            "/v1/messages",
            "SELECT case_no, '' FROM messages WHERE area LIKE %s ORDER BY random() LIMIT %s",
            lambda row: {"correlation": row[0]},
        ),
        "inbox: a member's": _listing("member", "notify", "/v1/inbox", lambda _: {"limit": 2}),
        "inbox: of somebody told of every case": _listing(
            "leader", "notify", "/v1/inbox", lambda _: {"limit": 20}
        ),
    }


def _of_machines() -> dict[str, Operation]:
    found: dict[str, Operation] = {"held events: first page": _listing("admin", "dispatch", "/v1/held")}
    for service in ("intake", "dispatch", "points", "notify"):
        found[f"metrics: {service}"] = _metrics(service)
    return found


# how they are asked


def _listing(who: str, service: str, path: str, query: Query = lambda _: {}) -> Operation:
    def operation(town: Town) -> Run:
        chance = random.Random(path)
        return lambda: _ask(town, WHO[who], service, path, query(chance))

    return operation


def _of_sample(
    who: str, service: str, path: str, statement: str, query: Callable[[Any], dict[str, Any]] = lambda _: {}
) -> Operation:
    def operation(town: Town) -> Run:
        rows = town.rows(service, statement, f"{street.community(3)}%", SAMPLE)
        chance = random.Random(path)

        def run() -> float:
            row = chance.choice(rows)
            return _ask(town, WHO[who], service, path.format(*row), query(row))

        return run

    return operation


def _ask(town: Town, who: Who, service: str, path: str, query: dict[str, Any]) -> float:
    return timed(lambda: town.call(who, service, "GET", path, **query))


def _near(town: Town) -> Run:
    chance = random.Random("near")

    def run() -> float:
        west, south = street.corner(3, 5)
        body = {
            "text": f"垃圾堆在路边，第 {chance.getrandbits(40)} 件",
            "channel": "grid_visit",
            "category": "E0110",
            "occurred_at": datetime.now(UTC).isoformat(),
            "location": {
                "lng": west + street.SIDE * chance.uniform(0.05, 0.95),
                "lat": south + street.SIDE * chance.uniform(0.05, 0.95),
            },
        }
        return timed(lambda: town.call(WHO["worker"], "intake", "POST", "/v1/reports", body))

    return run


def _receipt(town: Town) -> Run:
    statement = "SELECT message_id FROM receipts ORDER BY random() LIMIT %s"
    ids = [row[0] for row in town.rows("intake", statement, SAMPLE)]
    chance = random.Random("receipt")
    return lambda: _ask(
        town, WHO["operator"], "intake", f"/v1/receipts/hotline12345/{chance.choice(ids)}", {}
    )


def _board_of_county(query: Query) -> Operation:
    who = Who("g9-reviewer", ("points_reviewer",), (street.community(9),))

    def operation(town: Town) -> Run:
        chance = random.Random("board")
        return lambda: _ask(town, who, "points", f"/v1/boards/{_period()}", query(chance))

    return operation


def _metrics(service: str) -> Operation:
    return lambda town: lambda: timed(lambda: town.metrics(service))


# what they ask for


def _deep(chance: random.Random) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(days=DAYS * chance.uniform(0.1, 0.9))
    return {"cursor": cursor_of(at.isoformat(), "")}


def _a_grid(chance: random.Random) -> str:
    return street.grid(chance.randint(1, street.COMMUNITIES), chance.randint(1, street.GRIDS - 1))


def _period(days_ago: int = 0) -> str:
    day = datetime.now(UTC) + timedelta(hours=8) - timedelta(days=days_ago)
    return f"{day.year}Q{(day.month + 2) // 3}"


def _old_period() -> str:
    return _period(600)
