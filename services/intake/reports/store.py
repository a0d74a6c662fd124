"""Remembers the reports, their history, and reporters' contacts in a table that can be erased."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import cos, radians
from typing import Any

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
    literal,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy import (
    Sequence as NumberSequence,
)
from sqlalchemy import insert as plain_insert
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from services.intake.metadata import metadata
from services.intake.people.model import Contact
from services.intake.reports.model import OPEN, Command, Incident, Report, ReportStatus
from services.intake.saving import within
from wangge.chassis.errors import NotFound, Stale
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

#: Held from the search for a near report to the commit; any number that no other lock of this database has.
NEAR_LOCK = 7_203_102

#: Metres of one degree of latitude, at least.
DEGREE_METRES = 110_000.0

report_numbers = NumberSequence("report_number", metadata=metadata)
near_epochs = NumberSequence("near_epoch_number", metadata=metadata)

_IS_OPEN = "status IN ('submitted', 'accepted', 'filed')"

reports = Table(
    "report",
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
        postgresql_where=text(f"{_IS_OPEN} AND lng IS NOT NULL"),
    ),
    Index("report_received", "received_at", "code"),
    Index("report_status", "status", "received_at", "code"),
    Index("report_channel", "channel", "received_at", "code"),
    Index("report_area", "area", "received_at", "code", postgresql_ops={"area": "text_pattern_ops"}),
    Index("report_merged_into", "merged_into", postgresql_where=text("merged_into IS NOT NULL")),
)

report_moves = Table(
    "report_move",
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

reporter_contacts = Table(
    "reporter_contact",
    metadata,
    Column("subject_ref", Text, primary_key=True),
    Column("name", Text),
    Column("phone", Text),
    Column("mail", Text),
    Column("given_at", DateTime(timezone=True), nullable=False),
    comment="P2: erasable without touching the report",
)

near_epoch = Table(
    "near_epoch",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
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


def next_number(tx: Transaction) -> int:
    """A number that no other report has."""
    return int(tx.execute(select(report_numbers.next_value())).scalar_one())


def add(tx: Transaction, report: Report, steps: Sequence[Step]) -> bool:
    """Add a report with its history; False when its sender has one with this external number already."""
    added = (
        insert(reports)
        .values(_row(report))
        .on_conflict_do_nothing(
            index_elements=["sender", "external_no"], index_where=reports.c.external_no.is_not(None)
        )
        .returning(reports.c.code)
        .cte("added")
    )
    lines = (
        func.unnest(
            literal([step.command.value for step in steps], ARRAY(Text)),
            literal([step.source.value for step in steps], ARRAY(Text)),
            literal([step.target.value for step in steps], ARRAY(Text)),
            literal([step.by for step in steps], ARRAY(Text)),
        )
        .table_valued("command", "source", "target", "by")
        .render_derived()
    )
    history = select(
        added.c.code,
        lines.c.command,
        lines.c.source,
        lines.c.target,
        lines.c.by,
        literal(tx.now, DateTime(timezone=True)),
    ).select_from(added.join(lines, literal(True)))
    columns = ["report_code", "command", "source", "target", "by", "at"]
    return tx.execute(plain_insert(report_moves).from_select(columns, history)).rowcount > 0


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
    before = (reports.c.code == report.code) & (reports.c.version == report.version - 1)
    if not tx.execute(update(reports).where(before).values(changed)).rowcount:
        raise Stale("version.stale", "内容已被他人更新，请刷新后重试", f"{report.code} was changed meanwhile")
    if step:
        row = {
            "report_code": report.code,
            "command": step.command,
            "source": step.source,
            "target": step.target,
            "at": tx.now,
            "by": step.by,
            "note": step.note,
        }
        tx.execute(plain_insert(report_moves).values(row))


def find(tx: Transaction, code: str, *, lock: bool = False) -> Report:
    """The report. Raises `NotFound`."""
    query = select(reports).where(reports.c.code == code)
    row = tx.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise no_report(code)
    return _report(row)


def no_report(code: str) -> NotFound:
    """The refusal for a report that is not there, or not for the asker."""
    return NotFound("report.not_found", "没有这条诉求", f"no report {code}")


def by_external_no(tx: Transaction, sender: str, external_no: str) -> Report | None:
    """The report that the sender brought under its own number."""
    query = select(reports).where(reports.c.sender == sender, reports.c.external_no == external_no)
    row = tx.execute(query).mappings().first()
    return _report(row) if row else None


def merged_into(tx: Transaction, code: str) -> list[Report]:
    """The reports that were merged into this one and still are, locked, by code."""
    query = select(reports).where(reports.c.merged_into == code, reports.c.status == ReportStatus.MERGED)
    return [_report(row) for row in tx.execute(query.order_by(reports.c.code).with_for_update()).mappings()]


def listed(tx: Transaction, chosen: Filter, after: tuple[datetime, str] | None, limit: int) -> list[Report]:
    """Reports in one's scope, the latest first."""
    query = select(reports).where(within(reports.c.area, chosen.scope))
    if chosen.area:
        query = query.where(within(reports.c.area, [chosen.area]))
    if chosen.status:
        query = query.where(reports.c.status == chosen.status)
    if chosen.channel:
        query = query.where(reports.c.channel == chosen.channel)
    if after:
        query = query.where(tuple_(reports.c.received_at, reports.c.code) < after)
    query = query.order_by(reports.c.received_at.desc(), reports.c.code.desc()).limit(limit)
    return [_report(row) for row in tx.execute(query).mappings()]


def masters_of(tx: Transaction, found: Sequence[Report]) -> dict[str, Report]:
    """The reports that these were merged into, by code."""
    codes = {report.merged_into for report in found if report.merged_into}
    if not codes:
        return {}
    rows = tx.execute(select(reports).where(reports.c.code.in_(codes))).mappings()
    return {row["code"]: _report(row) for row in rows}


# contacts


def put_contact(tx: Transaction, subject_ref: str, contact: Contact) -> None:
    """Keep how a reporter is called and reached."""
    row = {
        "subject_ref": subject_ref,
        "name": contact.name,
        "phone": contact.phone,
        "mail": contact.mail,
        "given_at": tx.now,
    }
    tx.execute(plain_insert(reporter_contacts).values(row))


# near duplicates


def lock_near(tx: Transaction) -> int:
    """Let one transaction at a time search and add; answers the index's epoch."""
    tx.execute(select(func.pg_advisory_xact_lock(NEAR_LOCK)))
    return int(tx.execute(select(near_epoch.c.epoch)).scalar_one())


def new_epoch(tx: Transaction) -> int:
    """Make every index built before this commit stale; from a sequence, so that a rollback repeats no epoch."""
    statement = update(near_epoch).values(epoch=near_epochs.next_value()).returning(near_epoch.c.epoch)
    return int(tx.execute(statement).scalar_one())


def open_among(tx: Transaction, codes: Collection[str]) -> list[Report]:
    """Those of these reports that are open."""
    if not codes:
        return []
    query = select(reports).where(reports.c.code.in_(codes), reports.c.status.in_(OPEN))
    return [_report(row) for row in tx.execute(query).mappings()]


def open_around(tx: Transaction, report: Report, metres: float) -> list[Report]:
    """Open reports of the same community and category in a square around the report's point."""
    lng, lat = report.incident.lng or 0.0, report.incident.lat or 0.0
    up = metres / DEGREE_METRES
    side = up / max(cos(radians(lat)), 0.01)
    query = select(reports).where(
        reports.c.community == report.community,
        reports.c.category == report.category,
        text(_IS_OPEN),
        reports.c.lng.between(lng - side, lng + side),
        reports.c.lat.between(lat - up, lat + up),
    )
    return [_report(row) for row in tx.execute(query).mappings()]


def open_with_point(tx: Transaction) -> list[Report]:
    """Every open report with a point."""
    query = select(reports).where(text(_IS_OPEN), reports.c.lng.is_not(None))
    return [_report(row) for row in tx.execute(query).mappings()]


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
        "evidence": [dict(each) for each in incident.evidence],
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


def _report(row: Any) -> Report:
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
