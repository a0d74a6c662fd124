"""Brings a report from a door to its reception: who brings it, whose it is, and whether there is room for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from typing import Any

from services.intake.directory import DirectoryCache
from services.intake.publishers import quota
from services.intake.publishers.model import PUBLISHER, Over, Publisher, identify, over_quota
from services.intake.publishers.pace import Pace
from services.intake.receipts import store as receipts
from services.intake.receipts.model import Outcome, Receipt, again, refused
from services.intake.reports import store
from services.intake.reports.foreseeing import foresee_bodies
from services.intake.reports.model import Incident
from services.intake.reports.near import NearIndex
from services.intake.reports.receiving import Received, receive
from services.intake.reports.schemas import ReportBody, incident_of
from services.intake.reports.senders import of_person, of_publisher, reporter_given, reporter_of_message
from wangge.chassis.app import App
from wangge.chassis.auth import Principal
from wangge.chassis.errors import FieldError, Forbidden, Permanent, Refusal, TooMany
from wangge.chassis.transaction import Transaction
from wangge.contracts.envelope import Event

BODY = ReportBody()


@dataclass(frozen=True, slots=True)
class Bringing:
    """What every door needs to bring a report."""

    app: App
    directory: DirectoryCache
    near: NearIndex
    pace: Pace

    def message(self, tx: Transaction, event: Event) -> Receipt:
        """Take a publisher's message; a known one is answered again, one beyond the day's quota is refused.

        An operator's replay is not refused: it was counted when it was quarantined. Raises `Permanent` with every
        wrong field.
        """
        publisher = identify(event.origin, event.source, self.directory.of(tx).publishers)
        known = receipts.find(tx, publisher.login, event.id)
        if known and known.is_final:
            receipts.repeat(tx, known)
            return again(known)
        is_replay = known is not None and known.outcome is Outcome.QUARANTINED
        if not is_replay and not quota.has_room(tx, publisher):
            return put_refused(tx, publisher.login, event.id, _over_quota(tx, publisher))
        try:
            received = self._from_publisher(tx, publisher, event)
        except Refusal as wrong:
            raise Permanent(f"incident.{wrong.code}", wrong.en, _in_message(wrong, event)) from wrong
        receipt = received.receipt(publisher.login, event.id)
        receipts.add(tx, receipt)
        if not is_replay:
            quota.count(tx, publisher)
        return receipt

    def body(self, tx: Transaction, who: Principal, body: Any) -> Received:
        """Take a report that somebody brings over HTTP.

        Raises `Invalid` with every wrong field, `Forbidden`, or `TooMany` beyond a publisher's quota of the day.
        """
        directory = self.directory.of(tx)
        incident = incident_of(body)
        publisher = self.publisher(tx, who)
        if publisher and not (quota.has_room(tx, publisher) or _is_known(tx, publisher, incident)):
            raise too_many(_over_quota(tx, publisher), tx.now)
        reporter = reporter_given(tx, who, body["reporter"], publisher, incident.reporter_ref)
        sender = of_publisher(publisher) if publisher else of_person(who, reporter)
        if publisher is None and incident.channel not in sender.channels:
            raise _forbidden_channel(incident.channel, sender.channels)
        if reporter.is_anonymous or reporter.is_confidential:
            tx.cause = replace(tx.cause, actor=None)
        received = receive(self.app, tx, directory, self.near, incident, sender, reporter)
        if publisher and received.outcome is not Outcome.DUPLICATE:
            quota.count(tx, publisher)
        return received

    def keep_pace(self, tx: Transaction, who: Principal) -> None:
        """Refuse one more report of a publisher that brings too many within a minute. Raises `TooMany`."""
        publisher = self.publisher(tx, who)
        if publisher is None:
            return
        over = self.pace.over_one(tx, self.app.redis, publisher.login, publisher.limits)
        if over:
            raise too_many(over, datetime.now(UTC))

    def foresee(self, tx: Transaction, brought: Sequence[tuple[Principal, Mapping[str, Any]]]) -> None:
        """Ask once for what the reports that several bring in one transaction need: what is known, everybody's pace."""
        foresee_bodies(tx, self.directory, brought)
        publishers = [publisher for who, _ in brought if (publisher := self.publisher(tx, who))]
        limits = {publisher.login: publisher.limits for publisher in publishers}
        coming = Counter(publisher.login for publisher in publishers)
        self.pace.foresee(tx, self.app.redis, coming, limits)

    def _from_publisher(self, tx: Transaction, publisher: Publisher, event: Event) -> Received:
        tx.cause = replace(tx.cause, actor=publisher.ref)
        incident = incident_of(event.data, event.area)
        reporter = reporter_of_message(tx, publisher, incident.reporter_ref)
        sender = of_publisher(publisher)
        return receive(self.app, tx, self.directory.of(tx), self.near, incident, sender, reporter)

    def publisher(self, tx: Transaction, who: Principal) -> Publisher | None:
        """The publisher whose API key this is."""
        return self.directory.of(tx).publishers.of(who.id) if PUBLISHER in who.roles else None


def _is_known(tx: Transaction, publisher: Publisher, incident: Incident) -> bool:
    number = incident.external_no
    return bool(number and store.by_external_no(tx, publisher.ref, number))


def _in_message(wrong: Refusal, event: Event) -> list[FieldError]:
    """The wrong fields by their place in the message: in the data, or the area of the envelope."""
    is_enveloped = not event.data.get("area")
    return [
        {**error, "field": "area" if error["field"] == "area" and is_enveloped else f"data.{error['field']}"}
        for error in wrong.errors
    ]


def _forbidden_channel(channel: str, channels: frozenset[str]) -> Forbidden:
    listed = ", ".join(sorted(channels))
    return Forbidden(
        "channel.forbidden",
        f"不能以 {channel} 渠道上报",
        f"your roles report through {listed}",
        errors=[{"field": "channel", "message": f"allowed: {listed}"}],
    )


def put_refused(tx: Transaction, login: str, message_id: str, over: Over) -> Receipt:
    """Refuse a message beyond its sender's limits; nothing but the receipt is kept."""
    receipt = refused(login, message_id, over.code, over.message, over.retry_at)
    receipts.put(tx, receipt)
    return receipt


def too_many(over: Over, now: datetime) -> TooMany:
    """The refusal of a report beyond its sender's limits."""
    seconds = max(1, ceil((over.retry_at - now).total_seconds()))
    errors = [{"field": "publisher", "message": over.message}]
    extra = {"retry_at": over.retry_at}
    return TooMany(over.code, over.message_zh, over.message, seconds, errors, extra)


def _over_quota(tx: Transaction, publisher: Publisher) -> Over:
    return over_quota(publisher.limits.quota_per_day or 0, tx.now)
