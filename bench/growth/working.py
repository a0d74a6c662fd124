"""What the services do by themselves, through their own code on their own databases: sweeps, handlers, marks, purges.

Each run happens in a transaction that is rolled back, so that every run meets the same database.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from sqlalchemy import text

from bench.growth import street
from bench.growth.timing import Operation, Run, timed
from bench.growth.towns import Town
from wangge.chassis.app import App
from wangge.chassis.delivery import Delivery
from wangge.chassis.ids import new_id
from wangge.chassis.inbox import Message
from wangge.chassis.pipelining import Pipeline
from wangge.chassis.relay import Relay
from wangge.chassis.transaction import Cause, Transaction
from wangge.contracts.envelope import Event
from wangge.contracts.events import REGISTRY

#: Messages of one batch.
BATCH = 20

#: Cases that the sweep finds due among all that are not.
DUE = 5

MAKE_DUE = text(
    "UPDATE cases SET next_due_at = now() - interval '1 minute' WHERE case_no IN "
    "(SELECT case_no FROM cases WHERE next_due_at > now() + interval '1 hour' ORDER BY next_due_at DESC LIMIT :number)"
)
SET_CLOCKS = text(
    "UPDATE clocks SET deadline = c.next_due_at, started_at = c.next_due_at - interval '1 hour' "
    "FROM cases AS c WHERE c.case_no = clocks.case_no AND c.next_due_at < now() AND clocks.finished_at IS NULL "
    "AND clocks.overdue_at IS NULL AND clocks.stage IN ('handle', 'check')"
)


def operations() -> dict[str, Operation]:
    """By name: every piece of work."""
    found: dict[str, Operation] = {
        "sweep: five cases overdue": _sweep,
        f"handle {BATCH} accepted reports: mark, file, number, tell": _handling("dispatch", _accepted),
        f"handle {BATCH} closings: credit, score, wallet, tell": _handling("points", _closed),
        f"handle {BATCH} dispatched cases: write the notices": _handling("notify", _dispatched),
        f"handle {BATCH} filed cases: mirror at the reports": _handling("intake", _filed),
    }
    for service in ("intake", "dispatch", "points", "notify"):
        found[f"purge: nothing past its time, {service}"] = _inside(service, lambda app, tx: app.purge(tx))
        found[f"relay: nothing pending, {service}"] = _relay(service)
    found["courier: nothing due"] = _inside(
        "notify", lambda _, tx: import_module("services.notify.messages.store").due(tx, ())
    )
    return found


def _inside(service: str, act: Callable[[App, Transaction], Any]) -> Operation:
    def operation(town: Town) -> Run:
        app = town.app(service)

        def run() -> float:
            with _rolled_back(app) as tx:
                return timed(lambda: act(app, tx))

        return run

    return operation


def _sweep(town: Town) -> Run:
    app = town.app("dispatch")
    # the method that the sweep's decorator wrapped takes the transaction, so that it can be rolled back
    swept = type(app.service).sweep_overdue.__wrapped__

    def run() -> float:
        with _rolled_back(app) as tx:
            tx.execute(MAKE_DUE, {"number": DUE})
            tx.execute(SET_CLOCKS)

            def turn() -> None:
                found = swept(app.service, tx)
                tx.flush()
                assert found == DUE, f"{found} cases were due"

            return timed(turn)

    return run


#: What was only written is sent with it.
_SEND = text("SELECT 1")


def _handling(service: str, make: Callable[[Town], Callable[[], Event]]) -> Operation:
    def operation(town: Town) -> Run:
        app, new_event = town.app(service), make(town)

        def run() -> float:
            messages = [Message(Delivery(b""), new_event()) for _ in range(BATCH)]
            with _rolled_back(app) as tx:
                return timed(lambda: _handle(app, tx, messages))

        return run

    return operation


def _handle(app: App, tx: Transaction, messages: list[Message]) -> None:
    app.inbox._begin(tx, messages)  # noqa: SLF001 (as a batch begins, without its commit)
    app.handlers.prepare(tx, [message.event for message in messages])
    for message in messages:
        tx.cause = Cause.of(message.event)
        app.handlers.by_type[message.event.type](tx, message.event)
    tx.flush()
    tx.execute(_SEND)


def _relay(service: str) -> Operation:
    def operation(town: Town) -> Run:
        app = town.app(service)
        relay = Relay(app.database, app.settings.amqp_uris)
        return lambda: timed(relay.publish_pending)

    return operation


# events, as their publishers make them


def _accepted(_: Town) -> Callable[[], Event]:
    chance = random.Random("accepted")

    def make() -> Event:
        code = f"BG20991231-{chance.randrange(10**8):08d}"
        area = street.grid(chance.randint(1, 9), chance.randint(1, 18))
        now = datetime.now(UTC)
        data = {
            "report_code": code,
            "channel": "hotline_12345",
            "category": chance.choice(["E0110", "E0508", "E0183", "G0201"]),
            "urgency": "none",
            "area": area,
            "summary": "电线垂落",
            "location": {},
            "occurred_at": now,
            "received_at": now,
            "reporter": {"ref": "publisher:hotline12345", "confidential": False, "wants_reply": True},
            "evidence": [],
        }
        return _event("report.accepted.v1", "intake", code, data)

    return make


def _closed(_: Town) -> Callable[[], Event]:
    chance = random.Random("closed")

    def make() -> Event:
        who = f"g{chance.randint(1, 9)}-member-{chance.randint(1, 120)}"
        case_no = f"14080220991231{chance.randrange(10**5):05d}"
        data = _of_case(case_no, street.grid(3, 5)) | {
            "level": "L2",
            "mode": "single",
            "channel": "grid_visit",
            "on_time": True,
            "closing": 1,
            "reply": "已办结",
            "helpers": [{"person_id": who, "part": "reporter"}],
            "reporters": [f"person:{who}"],
        }
        return _event("case.closed.v1", "dispatch", case_no, data)

    return make


def _dispatched(_: Town) -> Callable[[], Event]:
    chance = random.Random("dispatched")

    def make() -> Event:
        number = chance.randint(1, 9)
        case_no = f"14080220991231{chance.randrange(10**5):05d}"
        data = _of_case(case_no, street.grid(number, chance.randint(1, 18))) | {
            "lead": f"g{number}-gongdian",
            "assist": [],
            "level": "L2",
            "urgency": "none",
            "deadline": datetime.now(UTC) + timedelta(hours=4),
            "summary": "电线垂落",
        }
        return _event("case.dispatched.v1", "dispatch", case_no, data)

    return make


def _filed(town: Town) -> Callable[[], Event]:
    rows = town.rows(
        "intake",
        "SELECT code, case_no, area FROM reports WHERE status = 'filed' ORDER BY received_at DESC LIMIT 200",
    )
    chance = random.Random("filed")

    def make() -> Event:
        code, case_no, area = chance.choice(rows)
        data = _of_case(case_no, area) | {
            "report_code": code,
            "level": "L2",
            "urgency": "none",
            "limit": "4 work_hour",
        }
        return _event("case.filed.v1", "dispatch", case_no, data, sequence=99)

    return make


def _of_case(case_no: str, area: str) -> dict[str, Any]:
    return {
        "case_no": case_no,
        "report_code": f"BG20991231-{case_no[-5:]}",
        "area": area,
        "category": "E0508",
        "at": datetime.now(UTC),
    }


def _event(event_type: str, source: str, subject: str, data: Mapping[str, Any], sequence: int = 1) -> Event:
    return Event(
        id=new_id(),
        source=f"/wangge/{source}",
        type=event_type,
        subject=subject,
        time=datetime.now(UTC),
        data=dict(data),
        area=data["area"],
        partitionkey=subject,
        sequence=sequence,
        origin=source,
    )


@contextmanager
def _rolled_back(app: App) -> Iterator[Transaction]:
    with app.database.engine.connect() as connection:
        pipeline = Pipeline(connection)
        yield Transaction(pipeline, app.clock.now(), app.settings.service, REGISTRY, Cause())
        pipeline.roll_back()
