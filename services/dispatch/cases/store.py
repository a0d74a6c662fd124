"""Remembers cases, their parts, clocks and reporters, their history and their numbers."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Row,
    RowMapping,
    Select,
    Table,
    Text,
    TextClause,
    bindparam,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from services.dispatch.calendars.model import Clock, Limit
from services.dispatch.cases.model import ENDED, Case, CaseState, FlowRecord, Moved
from services.dispatch.cases.parts import Assignment, PartState, Stage, StageClock
from services.dispatch.categories.model import ClockFrom
from services.dispatch.metadata import metadata
from wangge.chassis.database import Database
from wangge.chassis.errors import NotFound, Stale
from wangge.chassis.rows import as_rows, conflicting, insert_all
from wangge.chassis.transaction import Transaction

INSTANT = DateTime(timezone=True)

_ENDED = ", ".join(f"'{state}'" for state in sorted(ENDED))

# not `case`: that is a word of SQL
cases = Table(
    "cases",
    metadata,
    Column("case_no", Text, primary_key=True),
    Column("report_code", Text, nullable=False, unique=True),
    Column("site", Text, nullable=False),
    Column("area", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("urgency", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("location", JSONB(none_as_null=True)),
    Column("reporter", Text, nullable=False),
    Column("is_confidential", Boolean, nullable=False),
    Column("category", Text, nullable=False),
    Column("category_name", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("limit", Text, nullable=False),
    Column("clock_from", Text, nullable=False),
    Column("closing_condition", Text, nullable=False),
    Column("on_spot_allowed", Boolean, nullable=False),
    Column("needs_check", Boolean, nullable=False),
    Column("pool", Boolean, nullable=False),
    Column("units_allowed", ARRAY(Text), nullable=False),
    Column("received_at", INSTANT, nullable=False),
    Column("filed_at", INSTANT, nullable=False),
    Column("changed_at", INSTANT, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("dispatched_at", INSTANT),
    Column("claimed_at", INSTANT),
    Column("started_at", INSTANT),
    Column("handled_at", INSTANT),
    Column("checked_at", INSTANT),
    Column("closed_at", INSTANT),
    Column("handler", Text),
    Column("hands", ARRAY(Text), nullable=False),
    Column("helpers", ARRAY(Text), nullable=False),
    Column("checker", Text),
    Column("check_passed", Boolean, nullable=False),
    Column("closer", Text),
    Column("is_on_spot", Boolean, nullable=False),
    Column("result", Text),
    Column("reply", Text),
    Column("rework_count", Integer, nullable=False),
    Column("reopen_count", Integer, nullable=False),
    Column("closing", Integer, nullable=False),
    # what follows is computed from the case, to be searched by
    Column("lead", Text),
    Column("units", ARRAY(Text), nullable=False),
    Column("deadline", INSTANT),
    Column("next_due_at", INSTANT),
    Index("cases_filed", "filed_at", "case_no"),
    Index(
        "cases_open",
        "state",
        "filed_at",
        "case_no",
        "deadline",
        postgresql_where=text(f"state NOT IN ({_ENDED})"),
    ),
    Index("cases_due", "next_due_at", postgresql_where=text("next_due_at IS NOT NULL")),
)

assignment = Table(
    "assignments",
    metadata,
    Column("case_no", Text, ForeignKey("cases.case_no"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("is_lead", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("sent_at", INSTANT, nullable=False),
    Column("claimed_at", INSTANT),
    Column("done_at", INSTANT),
    Column("result", Text),
    Index("assignment_one_lead", "case_no", "round", unique=True, postgresql_where=text("is_lead")),
)

clock = Table(
    "clocks",
    metadata,
    Column("case_no", Text, ForeignKey("cases.case_no"), primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("limit", Text, nullable=False),
    Column("started_at", INSTANT, nullable=False),
    Column("deadline", INSTANT, nullable=False),
    Column("finished_at", INSTANT),
    Column("overdue_at", INSTANT),
)

flow_record = Table(
    "flow_records",
    metadata,
    Column("case_no", Text, ForeignKey("cases.case_no"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("op", Text, nullable=False),
    Column("from_state", Text),
    Column("to_state", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("unit", Text),
    Column("opinion", Text, nullable=False),
    Column("receiver", Text),
    Column("evidence", JSONB, nullable=False),
    Column("at", INSTANT, nullable=False),
)

# of_report is the report that the case was filed on, so that a merged reporter may be known before the case is
reporter = Table(
    "reporters",
    metadata,
    Column("of_report", Text, primary_key=True),
    Column("report_code", Text, primary_key=True),
    Column("ref", Text, nullable=False),
    Column("wants_reply", Boolean, nullable=False),
    Column("is_confidential", Boolean, nullable=False),
    Column("id", BigInteger, Identity(), nullable=False),
)

case_serial = Table(
    "case_serials",
    metadata,
    Column("county", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("last", Integer, nullable=False),
)


def _inserting(table: Table, tail: str = "") -> TextClause:
    names = [column.name for column in table.c if not column.identity]
    return insert_all(table, names, tail)


# statements of the message path are made once: making one costs more than running it
INSERT_CASE = _inserting(cases, "ON CONFLICT (report_code) DO NOTHING RETURNING case_no")
UPDATE_CASE = (
    update(cases)
    .where(cases.c.case_no == bindparam("of_case"), cases.c.version == bindparam("from_version"))
    .values({column.name: bindparam(column.name) for column in cases.c if column.name != "case_no"})
)
INSERT_ASSIGNMENT, PUT_ASSIGNMENT = _inserting(assignment), _inserting(assignment, conflicting(assignment))
INSERT_CLOCK, PUT_CLOCK = _inserting(clock), _inserting(clock, conflicting(clock))
INSERT_RECORD = _inserting(flow_record)
INSERT_REPORTER = _inserting(reporter, "ON CONFLICT DO NOTHING")

#: Serials that one process takes at a time; what it does not use before it ends is left out.
SERIAL_BLOCK = 20

_PART_NAMES = [field.name for field in fields(Assignment)]
_PARTS = text(
    f"SELECT case_no, {', '.join(_PART_NAMES)} FROM assignments "  # noqa: S608 (our own columns)
    "WHERE case_no = ANY(CAST(:numbers AS text[])) ORDER BY round, is_lead DESC, unit"
)
_CLOCKS = text(
    'SELECT case_no, stage, number, "limit", started_at, deadline, finished_at, overdue_at FROM clocks '
    "WHERE case_no = ANY(CAST(:numbers AS text[])) ORDER BY started_at, number"
)

COLUMNS = {field.name for field in fields(Case)} - {"assignments", "clocks"}
TUPLES = ("units_allowed", "hands", "helpers")


class Serials:
    """Hands out serials of a county and day from blocks, so that no transaction waits for another's number.

    Guarantee: no serial is handed out twice. Limit: gaps, where a block was not used up.
    """

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, date], deque[int]] = defaultdict(deque)

    def take(self, database: Database, county: str, day: date) -> int:
        """The next serial; a new block costs one short transaction of its own."""
        block = self._blocks[county, day]
        if not block:
            self._forget_other_days(day)
            block.extend(self._new_block(database, county, day))
        return block.popleft()

    def _new_block(self, database: Database, county: str, day: date) -> range:
        statement = insert(case_serial).values(county=county, day=day, last=SERIAL_BLOCK)
        statement = statement.on_conflict_do_update(
            index_elements=["county", "day"], set_={"last": case_serial.c.last + SERIAL_BLOCK}
        )
        with database.connect() as connection:
            last = connection.execute(statement.returning(case_serial.c.last)).scalar_one()
        return range(last - SERIAL_BLOCK + 1, last + 1)

    def _forget_other_days(self, day: date) -> None:
        for key in [key for key in self._blocks if key[1] != day]:
            del self._blocks[key]


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reported: a reference, and whether they want the reply."""

    report_code: str
    ref: str
    wants_reply: bool
    is_confidential: bool


def find(tx: Transaction, case_no: str, lock: bool = False) -> Case:
    """The case. Raises `NotFound`."""
    wanted = select(cases).where(cases.c.case_no == case_no)
    found = loaded(tx, wanted.with_for_update() if lock else wanted)
    if not found:
        raise unknown(case_no)
    return found[0]


def unknown(case_no: str) -> NotFound:
    """The refusal for a case that is not there, or not in the asker's sight."""
    return NotFound("case.unknown", f"没有案件 {case_no}", f"there is no case {case_no}")


def add_all(tx: Transaction, filed: Sequence[Sequence[Moved]]) -> set[str]:
    """Add new cases with their first records; answers the numbers of those whose report had no case yet."""
    if not filed:
        return set()
    numbers = set(tx.execute(INSERT_CASE, as_rows([_row(steps[-1].case) for steps in filed])).scalars())
    new = [steps for steps in filed if steps[-1].case.case_no in numbers]
    added = [steps[-1].case for steps in new]
    _write(tx, INSERT_ASSIGNMENT, [row for case in added for row in _parts(case, case.assignments)])
    _write(tx, INSERT_CLOCK, [row for case in added for row in _clocks(case, case.clocks)])
    _append(tx, [step.record for steps in new for step in steps])
    return numbers


def save(tx: Transaction, before: Case, moved: Moved) -> None:
    """Keep a case after a move, and its line of history. Raises `Stale` when it changed meanwhile."""
    case = moved.case
    at_version = {"of_case": case.case_no, "from_version": case.version - 1}
    if not tx.execute(UPDATE_CASE, _row(case) | at_version).rowcount:
        raise Stale("version.stale", "内容已被他人更新，请刷新后重试", "it was changed meanwhile")
    changed = [each for each in case.assignments if each not in before.assignments]
    _write(tx, PUT_ASSIGNMENT, _parts(case, changed))
    _write(tx, PUT_CLOCK, _clocks(case, [each for each in case.clocks if each not in before.clocks]))
    _append(tx, [moved.record])


def history(tx: Transaction, case_no: str, after_seq: int, limit: int) -> Sequence[Row[Any]]:
    """Up to `limit` lines of a case's history after a number."""
    wanted = select(flow_record).where(flow_record.c.case_no == case_no, flow_record.c.seq > after_seq)
    return tx.execute(wanted.order_by(flow_record.c.seq).limit(limit)).all()


def due(tx: Transaction, now: datetime, limit: int) -> list[Case]:
    """Up to `limit` cases whose deadline has passed, the oldest first, locked; what others hold is left to them."""
    wanted = select(cases).where(cases.c.next_due_at < now).order_by(cases.c.next_due_at).limit(limit)
    return loaded(tx, wanted.with_for_update(skip_locked=True))


def add_reporters(tx: Transaction, listed: Iterable[tuple[str, Reporter]]) -> None:
    """Keep who reported, or reported it, too, by the report of the case; a second time changes nothing."""
    _write(tx, INSERT_REPORTER, [{"of_report": of_report, **asdict(one)} for of_report, one in listed])


def reporters_to_answer(tx: Transaction, of_report: str) -> list[str]:
    """References of everybody who wants the reply, in the order in which they came."""
    wanted = select(reporter.c.ref).where(reporter.c.of_report == of_report, reporter.c.wants_reply)
    return list(dict.fromkeys(tx.execute(wanted.order_by(reporter.c.id)).scalars()))


# rows <-> cases


def _row(case: Case) -> dict[str, Any]:
    row = {name: getattr(case, name) for name in COLUMNS}
    return row | {
        **{name: list(row[name]) for name in TUPLES},
        "limit": str(case.limit),
        "lead": case.lead,
        "units": sorted(case.units),
        "deadline": case.deadline,
        "next_due_at": case.next_due_at,
    }


def _parts(case: Case, assignments: Iterable[Assignment]) -> list[dict[str, Any]]:
    return [
        {"case_no": case.case_no, **{field.name: getattr(each, field.name) for field in fields(each)}}
        for each in assignments
    ]


def _clocks(case: Case, clocks: Iterable[StageClock]) -> list[dict[str, Any]]:
    return [
        {
            "case_no": case.case_no,
            "stage": each.stage,
            "number": each.number,
            "limit": str(each.clock.limit),
            "started_at": each.clock.started_at,
            "deadline": each.clock.deadline,
            "finished_at": each.clock.finished_at,
            "overdue_at": each.overdue_at,
        }
        for each in clocks
    ]


def _write(tx: Transaction, statement: TextClause, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        tx.write(statement, as_rows(rows))


def _append(tx: Transaction, records: Iterable[FlowRecord]) -> None:
    rows = [{field.name: getattr(record, field.name) for field in fields(record)} for record in records]
    _write(tx, INSERT_RECORD, rows)


def loaded(tx: Transaction, wanted: Select[Any]) -> list[Case]:
    """The cases of these rows, in their order, with their parts and clocks."""
    found = tx.execute(wanted).mappings().all()
    numbers = {"numbers": [row["case_no"] for row in found]}
    if not found:
        return []
    parts, clocks = defaultdict(list), defaultdict(list)
    for row in tx.execute(_PARTS, numbers):
        parts[row.case_no].append(_assignment(row))
    for row in tx.execute(_CLOCKS, numbers):
        clocks[row.case_no].append(_clock(row))
    return [_case(row, parts[row["case_no"]], clocks[row["case_no"]]) for row in found]


def _case(row: RowMapping, parts: Iterable[Assignment], clocks: Iterable[StageClock]) -> Case:
    stored = {name: row[name] for name in COLUMNS}
    typed = {
        **{name: tuple(stored[name]) for name in TUPLES},
        "limit": Limit.parse(row["limit"]),
        "clock_from": ClockFrom(row["clock_from"]),
        "state": CaseState(row["state"]),
        "assignments": tuple(parts),
        "clocks": tuple(clocks),
    }
    return Case(**stored | typed)


def _assignment(row: Row[Any]) -> Assignment:
    stored = {name: getattr(row, name) for name in _PART_NAMES}
    return Assignment(**stored | {"state": PartState(row.state)})


def _clock(row: Row[Any]) -> StageClock:
    running = Clock(Limit.parse(row.limit), row.started_at, row.deadline, finished_at=row.finished_at)
    return StageClock(Stage(row.stage), row.number, running, row.overdue_at)
