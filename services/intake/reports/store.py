"""Remembers the reports and their history."""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Identity,
    Index,
    SmallInteger,
    Table,
    Text,
    func,
    select,
    text,
    update,
)
from sqlalchemy import (
    Sequence as NumberSequence,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.intake.metadata import metadata
from services.intake.reports.model import Command, Incident, Report, ReportStatus
from wangge.chassis.errors import NotFound, Stale
from wangge.chassis.newest import newest, way
from wangge.chassis.rows import as_rows, insert_all
from wangge.chassis.scopes import inside, places
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

#: Report numbers that a process takes at once.
NUMBERS_AT_ONCE = 100

report_numbers = NumberSequence("report_number", metadata=metadata)

#: Digits of the areas by which lists of reports are indexed: community and grid; by state, while it is under way. Above
#: a community they are read by the instant of their coming: a street is never quiet for long.
KEYED, KEYED_UNDER_WAY = (12, 15), (12,)

IS_OPEN = "status IN ('submitted', 'accepted', 'filed')"

reports = Table(
    "reports",
    metadata,
    Column("code", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("sender", Text, comment="publisher:<login> or person:<id> that brought it; null: anonymous"),
    Column("external_no", Text),
    Column("channel", Text, nullable=False),
    Column("title", Text),
    Column("text", Text, nullable=False),
    Column("given_area", Text),
    Column("given_category", Text),
    Column("given_urgency", Text, nullable=False),
    Column("sender_ref", Text, comment="the sender's opaque reference to the person who reported"),
    Column("lng", Float),
    Column("lat", Float),
    Column("address", Text),
    Column("evidence", JSONB, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("area", Text, nullable=False),
    Column("community", Text, nullable=False),
    Column("located_by", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("urgency", Text, nullable=False),
    Column("reporter_ref", Text, nullable=False),
    Column("is_confidential", Boolean, nullable=False),
    Column("wants_reply", Boolean, nullable=False),
    Column("merged_into", Text),
    Column("reason", Text),
    Column("reply", Text),
    Column("case_no", Text),
    Column("case_sequence", BigInteger, nullable=False),
    Column("version", SmallInteger, nullable=False),
    Index(
        "report_external_no",
        "sender",
        "external_no",
        unique=True,
        postgresql_where=text("external_no IS NOT NULL"),
    ),
    Index(
        "report_open_near",
        "community",
        "category",
        "lat",
        postgresql_where=text(f"{IS_OPEN} AND lng IS NOT NULL"),
    ),
    Index("report_received", "received_at", "code"),
    Index("report_under_way", "status", "received_at", "code", postgresql_where=text("status <> 'closed'")),
    Index(
        "report_under_way_12",
        text("left(area, 12)"),
        "status",
        "received_at",
        "code",
        "area",
        postgresql_where=text("status <> 'closed'"),
    ),
    Index("report_channel", "channel", "received_at", "code"),
    *(
        Index(f"report_area_{digits}", text(f"left(area, {digits})"), "received_at", "code")
        for digits in KEYED
    ),
    Index("report_merged_into", "merged_into", postgresql_where=text("merged_into IS NOT NULL")),
)

report_moves = Table(
    "report_moves",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("report_code", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("by", Text, comment="who; null: a rule, or somebody anonymous"),
    Column("note", Text),
    Index("report_move_report", "report_code", "id"),
    comment="history: only appended",
)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a report's history."""

    command: Command
    source: ReportStatus
    target: ReportStatus
    by: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which reports a list shows."""

    scope: tuple[Area, ...]
    area: Area | None = None
    status: str | None = None
    channel: str | None = None


class Arrivals:
    """Reports that arrived in one transaction; they are written at its end, all in two statements."""

    def __init__(self) -> None:
        self.reports: dict[str, Report] = {}
        self.steps: list[dict[str, Any]] = []
        self.codes: dict[tuple[str, str], str] = {}

    def add(self, report: Report, steps: Sequence[Step], at: datetime) -> None:
        """One more."""
        self.reports[report.code] = report
        self.steps += [_step_row(report.code, step, at) for step in steps]
        if report.sender and report.incident.external_no:
            self.codes[report.sender, report.incident.external_no] = report.code


_arrivals: WeakKeyDictionary[Transaction, Arrivals] = WeakKeyDictionary()
_NONE = Arrivals()
_new: WeakKeyDictionary[Transaction, set[tuple[str, str]]] = WeakKeyDictionary()

_numbers: deque[int] = deque()
"""Numbers that this process has taken for reports to come; those left at its end are never used."""

REPORT_COLUMNS = [column.name for column in reports.c]
STEP_COLUMNS = ["report_code", "command", "source", "target", "at", "by", "note"]

_TAKE_NUMBERS = select(report_numbers.next_value()).select_from(
    func.generate_series(1, NUMBERS_AT_ONCE).table_valued("n")
)
_ADD = insert_all(reports, REPORT_COLUMNS)
_ADD_STEPS = insert_all(report_moves, STEP_COLUMNS, "")
_BY_EXTERNAL_NO = text("SELECT * FROM reports WHERE sender = :who AND external_no = :no")
_LOCKED = text("SELECT * FROM reports WHERE code = ANY(CAST(:codes AS text[])) ORDER BY code FOR UPDATE")

MIRRORED = ("code", "status", "case_no", "case_sequence", "version")

_MIRROR = text(
    "UPDATE reports SET status = told.status, case_no = told.case_no, "
    "case_sequence = told.case_sequence, version = told.version "
    "FROM jsonb_populate_recordset(NULL::reports, CAST(:rows AS jsonb)) AS told WHERE reports.code = told.code"
)


def next_number(tx: Transaction) -> int:
    """A number that no other report has."""
    if not _numbers:
        _numbers.extend(tx.execute(_TAKE_NUMBERS).scalars())
    return _numbers.popleft()


def add(tx: Transaction, report: Report, steps: Sequence[Step]) -> None:
    """Add a report with its history, at the end of the transaction.

    Where another transaction added one under the same external number meanwhile, it fails (a temporary fault): tried
    again, it is known.
    """
    if tx not in _arrivals:
        _arrivals[tx] = Arrivals()
        tx.before_commit(lambda: write_arrivals(tx))
    _arrivals[tx].add(report, steps, tx.now)
    _new.get(tx, set()).discard((report.sender, report.incident.external_no or ""))


def write_arrivals(tx: Transaction) -> None:
    """Write what arrived so far; whoever reads or changes reports otherwise than by `add` does it first."""
    arrived = _arrivals.get(tx, _NONE)
    if not arrived.reports:
        return
    _arrivals[tx] = Arrivals()
    tx.write(_ADD, as_rows([_row(report) for report in arrived.reports.values()]))
    tx.write(_ADD_STEPS, as_rows(arrived.steps))


def unwritten(tx: Transaction) -> dict[str, Report]:
    """The reports that arrived in this transaction and are not written yet, by code."""
    return _arrivals.get(tx, _NONE).reports


def save(tx: Transaction, report: Report, step: Step | None) -> None:
    """Write a changed report and the line of its history. Raises `Stale` when somebody else changed it before."""
    changed = {
        "status": report.status,
        "category": report.category,
        "urgency": report.urgency,
        "merged_into": report.merged_into,
        "reason": report.reason,
        "reply": report.reply,
        "case_no": report.case_no,
        "case_sequence": report.case_sequence,
        "version": report.version,
    }
    write_arrivals(tx)
    before = (reports.c.code == report.code) & (reports.c.version == report.version - 1)
    if not tx.execute(update(reports).where(before).values(changed)).rowcount:
        raise Stale("version.stale", "内容已被他人更新，请刷新后重试", f"{report.code} was changed meanwhile")
    if step:
        tx.write(_ADD_STEPS, as_rows([_step_row(report.code, step, tx.now)]))


def locked(tx: Transaction, codes: Collection[str]) -> list[Report]:
    """Those of these reports that are here, locked in the order of their codes."""
    write_arrivals(tx)
    return [report_of(row) for row in tx.execute(_LOCKED, {"codes": list(codes)}).mappings()]


def save_mirrored(tx: Transaction, changed: Sequence[Report], steps: Sequence[tuple[str, Step]]) -> None:
    """Write what cases told of reports that this transaction has locked, with their history."""
    if changed:
        rows = [{name: getattr(report, name) for name in MIRRORED} for report in changed]
        tx.write(_MIRROR, as_rows(rows))
    if steps:
        tx.write(_ADD_STEPS, as_rows([_step_row(code, step, tx.now) for code, step in steps]))


def find(tx: Transaction, code: str, *, lock: bool = False) -> Report:
    """The report. Raises `NotFound`."""
    write_arrivals(tx)
    query = select(reports).where(reports.c.code == code)
    row = tx.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise no_report(code)
    return report_of(row)


def no_report(code: str) -> NotFound:
    """The refusal for a report that is not there, or not for the asker."""
    return NotFound("report.not_found", "没有这条诉求", f"no report {code}")


def by_external_no(tx: Transaction, sender: str, external_no: str) -> Report | None:
    """The report that the sender brought under its own number."""
    arrived = _arrivals.get(tx, _NONE)
    code = arrived.codes.get((sender, external_no))
    if code:
        return arrived.reports[code]
    if (sender, external_no) in _new.get(tx, ()):
        return None
    row = tx.execute(_BY_EXTERNAL_NO, {"who": sender, "no": external_no}).mappings().first()
    return report_of(row) if row else None


def note_new(tx: Transaction, sender: str, external_no: str) -> None:
    """There is no report under this external number yet: until one is added, `by_external_no` need not ask."""
    _new.setdefault(tx, set()).add((sender, external_no))


def merged_into(tx: Transaction, code: str) -> list[Report]:
    """The reports that were merged into this one and still are, locked, by code."""
    query = select(reports).where(reports.c.merged_into == code, reports.c.status == ReportStatus.MERGED)
    return [report_of(row) for row in tx.execute(query.order_by(reports.c.code).with_for_update()).mappings()]


def listed(tx: Transaction, chosen: Filter, after: tuple[datetime, str] | None, limit: int) -> list[Report]:
    """Reports in one's scope, the latest first."""
    keys = (reports.c.received_at, reports.c.code)
    others = [
        reports.c[name] == value
        for name, value in (("status", chosen.status), ("channel", chosen.channel))
        if value
    ]
    keyed = KEYED if chosen.status in {None, ReportStatus.CLOSED} else KEYED_UNDER_WAY
    ways = [
        way(select(*keys), keys, [inside(reports.c.area, place, keyed), *others], after, limit)
        for place in places(chosen.scope, chosen.area)
    ]
    found = tx.execute(newest(reports, list(reports.c), ways, limit)) if ways else None
    return [report_of(row) for row in found.mappings()] if found else []


def masters_of(tx: Transaction, found: Sequence[Report]) -> dict[str, Report]:
    """The reports that these were merged into, by code."""
    codes = {report.merged_into for report in found if report.merged_into}
    if not codes:
        return {}
    write_arrivals(tx)
    rows = tx.execute(select(reports).where(reports.c.code.in_(codes))).mappings()
    return {row["code"]: report_of(row) for row in rows}


def _step_row(code: str, step: Step, at: datetime) -> dict[str, Any]:
    return {
        "report_code": code,
        "command": step.command,
        "source": step.source,
        "target": step.target,
        "at": at,
        "by": step.by,
        "note": step.note,
    }


def _row(report: Report) -> dict[str, Any]:
    incident = report.incident
    return {
        "code": report.code,
        "status": report.status,
        "sender": report.sender,
        "external_no": incident.external_no,
        "channel": incident.channel,
        "title": incident.title,
        "text": incident.text,
        "given_area": incident.area,
        "given_category": incident.category,
        "given_urgency": incident.urgency,
        "sender_ref": incident.reporter_ref,
        "lng": incident.lng,
        "lat": incident.lat,
        "address": incident.address,
        "evidence": incident.evidence,
        "occurred_at": incident.occurred_at,
        "received_at": report.received_at,
        "area": report.area,
        "community": report.community,
        "located_by": report.located_by,
        "category": report.category,
        "urgency": report.urgency,
        "reporter_ref": report.reporter_ref,
        "is_confidential": report.is_confidential,
        "wants_reply": report.wants_reply,
        "merged_into": report.merged_into,
        "reason": report.reason,
        "reply": report.reply,
        "case_no": report.case_no,
        "case_sequence": report.case_sequence,
        "version": report.version,
    }


def report_of(row: Any) -> Report:
    """The report in a row of its table."""
    incident = Incident(
        text=row["text"],
        occurred_at=row["occurred_at"],
        channel=row["channel"],
        title=row["title"],
        category=row["given_category"],
        urgency=row["given_urgency"],
        area=row["given_area"],
        lng=row["lng"],
        lat=row["lat"],
        address=row["address"],
        external_no=row["external_no"],
        reporter_ref=row["sender_ref"],
        evidence=tuple(row["evidence"]),
    )
    return Report(
        code=row["code"],
        status=ReportStatus(row["status"]),
        sender=row["sender"],
        incident=incident,
        area=row["area"],
        community=row["community"],
        located_by=row["located_by"],
        category=row["category"],
        urgency=row["urgency"],
        reporter_ref=row["reporter_ref"],
        is_confidential=row["is_confidential"],
        wants_reply=row["wants_reply"],
        received_at=row["received_at"],
        merged_into=row["merged_into"],
        reason=row["reason"],
        reply=row["reply"],
        case_no=row["case_no"],
        case_sequence=row["case_sequence"],
        version=row["version"],
    )
