"""Notes at the reports what their cases tell: for all facts of a transaction at once, at its end."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import redis

from services.intake.reports import store
from services.intake.reports.model import Command, Report, mirror
from services.intake.reports.near import NearIndex
from services.intake.reports.store import Step
from wangge.chassis.logging import get_logger
from wangge.chassis.transaction import Transaction

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CaseFact:
    """What a case told of its report; `sequence` counts the facts of the case."""

    command: Command
    report_code: str
    case_no: str
    sequence: int


_noted: WeakKeyDictionary[Transaction, list[CaseFact]] = WeakKeyDictionary()


def note(tx: Transaction, fact: CaseFact, near: NearIndex, client: redis.Redis) -> None:
    """Mirror the fact at the end of the transaction; a case of a report that is not here is nothing to us."""
    if tx not in _noted:
        _noted[tx] = []
        tx.before_commit(lambda: _mirror(tx, near, client))
    _noted[tx].append(fact)


def _mirror(tx: Transaction, near: NearIndex, client: redis.Redis) -> None:
    facts = _noted.pop(tx)
    before = {report.code: report for report in store.locked(tx, {fact.report_code for fact in facts})}
    after = dict(before)
    steps: list[tuple[str, Step]] = []
    for fact in facts:
        report = after.get(fact.report_code)
        if report is None:
            log.info("case of an unknown report", report_code=fact.report_code, case_no=fact.case_no)
            continue
        mirrored = mirror(report, fact.command, fact.case_no, fact.sequence)
        if mirrored.status is not report.status:
            steps.append((report.code, _step(fact, report, mirrored)))
        after[report.code] = mirrored
    changed = [report for code, report in after.items() if report is not before[code]]
    store.save_mirrored(tx, changed, steps)
    for report in changed:
        if report.is_open and not before[report.code].is_open and report.incident.has_point:
            near.add(tx, client, report)


def _step(fact: CaseFact, before: Report, after: Report) -> Step:
    return Step(fact.command, before.status, after.status, "dispatch", fact.case_no)
