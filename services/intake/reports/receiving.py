"""Takes a report in: sorts it, decides about it, writes it and tells what was decided. The same for every door.

Idempotent by (sender, external_no). A report costs one statement, and one more where near ones are known; what all
reports of a transaction share (the directory's version, the lock, the writing) is done once for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.intake.categories.model import URGENCIES, Category, classify, urgency
from services.intake.directory import Community, Directory
from services.intake.receipts.model import Outcome, Receipt
from services.intake.reports import contact_store, store
from services.intake.reports.locating import Located, Misplaced, Told, candidates, locate
from services.intake.reports.masking import mask_address, summary
from services.intake.reports.model import (
    Command,
    Incident,
    Report,
    ReportStatus,
    Stance,
    move,
    report_code,
    stance,
    wrong_channels,
    wrong_points,
    wrong_times,
)
from services.intake.reports.near import NearIndex
from services.intake.reports.senders import Reporter, Sender
from services.intake.reports.store import Step
from services.intake.sites.model import Rejection
from wangge.chassis.app import App
from wangge.chassis.errors import FieldError, Stale, Temporary, invalid
from wangge.chassis.seal import seal
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a report that was brought. `of` is the one that it repeats or joins."""

    report: Report
    outcome: Outcome

    @property
    def of(self) -> str | None:
        """The report that this one repeats or joins."""
        return self.report.code if self.outcome is Outcome.DUPLICATE else self.report.merged_into

    def receipt(self, publisher: str, message_id: str) -> Receipt:
        """The receipt for the message that brought it."""
        code = None if self.outcome is Outcome.DUPLICATE else self.report.code
        return Receipt(publisher, message_id, self.outcome, code, self.of)


@dataclass(frozen=True, slots=True)
class Sorted:
    """Where an incident belongs and what it is."""

    located: Located
    community: Community
    category: Category
    urgency: str


OUTCOMES = {
    ReportStatus.SUBMITTED: Outcome.ACCEPTED,
    ReportStatus.ACCEPTED: Outcome.ACCEPTED,
    ReportStatus.MERGED: Outcome.MERGED,
    ReportStatus.REJECTED: Outcome.REJECTED,
}


def receive(
    app: App,
    tx: Transaction,
    directory: Directory,
    near: NearIndex,
    incident: Incident,
    sender: Sender,
    reporter: Reporter,
) -> Received:
    """Take one report in. Raises `Invalid` with every wrong field, before anything is written."""
    if sender.ref and incident.external_no:
        earlier = store.by_external_no(tx, sender.ref, incident.external_no)
        if earlier:
            return Received(earlier, Outcome.DUPLICATE)
    found = sort(directory, incident, sender, tx)
    report = _submitted(tx, incident, sender, reporter, found)
    decided, master, decision = _decide(app, tx, near, report, sender, found)
    store.add(tx, decided, _steps(decided, sender))
    if decided.is_open and incident.has_point:
        near.add(tx, app.redis, decided)
    if reporter.contact:
        _keep_contact(app, tx, decided, reporter)
    tell(tx, decided)
    if master and decision is Stance.ACCEPT and master.status is ReportStatus.SUBMITTED:
        vouch(tx, master, decided)
    return Received(decided, OUTCOMES[decided.status])


def sort(directory: Directory, incident: Incident, sender: Sender, tx: Transaction) -> Sorted:
    """Where the incident belongs and what it is. Raises `Invalid` with every wrong field."""
    errors: list[FieldError] = [
        *wrong_channels(incident.channel, sender.channels),
        *wrong_times(incident, tx.now),
        *wrong_points(incident),
    ]
    places, located = _place(directory, incident, sender, errors)
    community = directory.communities[located.community.code] if located else None
    category = _category(incident, [community] if community else places, errors)
    if errors or located is None or community is None or category is None:
        raise invalid(errors)
    return Sorted(located, community, category, urgency(incident.urgency, category))


def _place(
    directory: Directory, incident: Incident, sender: Sender, errors: list[FieldError]
) -> tuple[Sequence[Community], Located | None]:
    area = Area.parse(incident.area) if incident.area else None
    covering = directory.ground.at(incident.lng or 0.0, incident.lat or 0.0) if incident.has_point else []
    told = Told(area, incident.has_point, covering, incident.address)
    places: Sequence[Community] = ()
    try:
        places = candidates(area, sender.reach, directory.communities.values())
        return places, locate(told, sender.reach, places)
    except Misplaced as wrong:
        errors.append({"field": wrong.field, "message": wrong.message})
        return places, None


def _category(incident: Incident, places: Sequence[Community], errors: list[FieldError]) -> Category | None:
    found = None
    for place in places:
        found = classify(incident.category, incident.words, place.categories, place.site.default_category)
        if found:
            return found
    if places and incident.category:
        labels = "、".join(place.label for place in places)
        errors.append({"field": "category", "message": f"{incident.category} is no category of {labels}"})
    return found


def _submitted(
    tx: Transaction, incident: Incident, sender: Sender, reporter: Reporter, found: Sorted
) -> Report:
    return Report(
        code=report_code(store.next_number(tx), tx.now),
        status=ReportStatus.SUBMITTED,
        sender=sender.ref,
        incident=incident,
        area=found.located.area.code,
        community=found.located.community.code,
        located_by=found.located.by,
        category=found.category.code,
        urgency=found.urgency,
        reporter_ref=reporter.ref,
        is_confidential=reporter.is_confidential,
        wants_reply=reporter.wants_reply,
        received_at=tx.now,
    )


def _decide(
    app: App, tx: Transaction, near: NearIndex, report: Report, sender: Sender, found: Sorted
) -> tuple[Report, Report | None, Stance]:
    site = found.community.site
    rejection = _rejection(report.incident.words, site.rejections)
    is_trusted = sender.is_trusted or report.incident.channel in site.auto_accept
    decision = stance(report.urgency, is_trusted=is_trusted, is_for_others=rejection is not None)
    if decision is Stance.REJECT and rejection:
        return move(report, Command.REJECT, reason=rejection.reason, reply=rejection.reply), None, decision
    master = near.nearest(tx, app.redis, report, site.near) if report.incident.has_point else None
    if master:
        return move(report, Command.MERGE, merged_into=master.code), master, decision
    if decision is Stance.ACCEPT:
        return move(report, Command.ACCEPT), None, decision
    return report, None, decision


def _rejection(words: str, rejections: Sequence[Rejection]) -> Rejection | None:
    return next((rule for rule in rejections if any(word in words for word in rule.keywords)), None)


def _steps(report: Report, sender: Sender) -> list[Step]:
    """The history of a report as it arrives: submitted by its sender, moved on by a rule."""
    steps = [Step(Command.SUBMIT, ReportStatus.DRAFT, ReportStatus.SUBMITTED, sender.ref)]
    command = {
        ReportStatus.ACCEPTED: Command.ACCEPT,
        ReportStatus.REJECTED: Command.REJECT,
        ReportStatus.MERGED: Command.MERGE,
    }.get(report.status)
    return [*steps, Step(command, ReportStatus.SUBMITTED, report.status)] if command else steps


def vouch(tx: Transaction, master: Report, vouching: Report) -> None:
    """Accept a report that waited for verification: a second one, itself acceptable at once, tells the same.

    Raises `Temporary` when somebody else decided about it at the same time.
    """
    urgent = max(master.urgency, vouching.urgency, key=URGENCIES.index)
    accepted = move(master, Command.ACCEPT, urgency=urgent)
    step = Step(Command.ACCEPT, master.status, accepted.status, note=f"also told by {vouching.code}")
    try:
        store.save(tx, accepted, step)
    except Stale as stale:
        raise Temporary("the report it joins was decided about at the same time") from stale
    tell(tx, accepted)


def _keep_contact(app: App, tx: Transaction, report: Report, reporter: Reporter) -> None:
    """Keep the contact here, and hand notify a sealed copy of what it needs to answer."""
    contact = reporter.contact
    if contact is None:
        return
    contact_store.put(tx, reporter.ref, contact)
    if contact.is_reachable:
        open_ = {"name": contact.name, "phone": contact.phone, "mail": contact.mail}
        content = {name: value for name, value in open_.items() if value}
        sealed = seal(app.settings.keys_dir, "notify", content)
        fact = {"subject_ref": reporter.ref, "area": report.area, "sealed": sealed}
        tx.record("contact.shared.v1", fact)


# what is told


def tell(tx: Transaction, report: Report) -> None:
    """Tell what was decided about a report; one that waits is not told."""
    match report.status:
        case ReportStatus.ACCEPTED:
            tx.record("report.accepted.v1", _accepted(report, contact_store.name_of(tx, report.reporter_ref)))
        case ReportStatus.REJECTED:
            tx.record("report.rejected.v1", _rejected(report))
        case ReportStatus.MERGED:
            tx.record("report.merged.v1", _merged(report))
        case _:
            return


def _accepted(report: Report, name: str | None) -> dict[str, Any]:
    incident = report.incident
    address = mask_address(incident.address) if incident.address else None
    location = {"lng": incident.lng, "lat": incident.lat, "address": address}
    return {
        "report_code": report.code,
        "channel": incident.channel,
        "category": report.category,
        "urgency": report.urgency,
        "area": report.area,
        "summary": summary(incident.title, incident.text, name),
        "location": {name: value for name, value in location.items() if value is not None},
        "occurred_at": incident.occurred_at,
        "received_at": report.received_at,
        "reporter": _reporter(report),
        "evidence": incident.evidence,
    }


def _rejected(report: Report) -> dict[str, Any]:
    return {
        "report_code": report.code,
        "area": report.area,
        "reason": report.reason,
        "reply": report.reply,
        "reporter": _reporter(report),
    }


def _merged(report: Report) -> dict[str, Any]:
    return {
        "report_code": report.code,
        "into": report.merged_into,
        "area": report.area,
        "reporter": _reporter(report),
    }


def _reporter(report: Report) -> dict[str, Any]:
    return {
        "ref": report.reporter_ref,
        "confidential": report.is_confidential,
        "wants_reply": report.wants_reply,
    }
