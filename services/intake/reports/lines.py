"""Says what each line of a batch is answered: bare data or a whole CloudEvent, taken, refused or wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.intake.publishers.model import PUBLISHER, Over
from services.intake.receipts import store as receipts
from services.intake.receipts.model import Outcome, Receipt, again
from services.intake.receipts.schemas import shown as shown_receipt
from services.intake.reports.batches import LINE_BYTES, Line
from services.intake.reports.bringing import BODY, Bringing, put_refused, too_many
from services.intake.reports.foreseeing import foresee_lines
from services.intake.reports.receiving import Received
from wangge.chassis.auth import Principal
from wangge.chassis.bodies import load, parse_json
from wangge.chassis.claims import claim_of
from wangge.chassis.delivery import OPEN_EXCHANGE, Delivery, read
from wangge.chassis.errors import Forbidden, Infrastructure, Permanent, Refusal, Temporary, TooMany, invalid
from wangge.chassis.faults import classify
from wangge.chassis.logging import get_logger
from wangge.chassis.transaction import Cause, Transaction

log = get_logger(__name__)

#: Times that a portion of a batch is tried when the database asks to try again.
TRIES = 3


@dataclass(frozen=True, slots=True)
class Lines:
    """Takes the lines of a batch."""

    bringing: Bringing

    def portion(self, who: Principal, lines: list[Line]) -> list[dict[str, Any]]:
        """Take a portion of a batch in one transaction; every line is answered, whatever happens.

        Lines beyond the publisher's pace are refused without a look at them.
        """
        admitted, over = self._paced(who, len(lines))
        for _ in range(TRIES):
            try:
                with self.bringing.app.database.begin() as tx:
                    foresee_lines(tx, self.bringing.directory, who, [one.body for one in lines if one.body])
                    taken = [self._line(tx, who, line) for line in lines[:admitted]]
                    if over:
                        taken += [self._line_over(tx, who, line, over) for line in lines[admitted:]]
                    return taken
            except Exception as error:  # noqa: BLE001 (the next portions go on)
                fault = classify(error)
                log.warning("portion of a batch was not taken", lines=len(lines), cause=str(fault))
                if not isinstance(fault, Temporary):
                    break
        why = "unavailable" if isinstance(fault, Temporary | Infrastructure) else "internal error"
        failure = invalid([{"field": "body", "message": f"{why}, send it again"}])
        return [_refused(line, failure) for line in lines]

    def _paced(self, who: Principal, wanted: int) -> tuple[int, Over | None]:
        directory = self.bringing.directory.latest
        publisher = directory.publishers.of(who.id) if directory and PUBLISHER in who.roles else None
        if publisher is None:
            return wanted, None
        return self.bringing.pace.over(self.bringing.app.redis, publisher.login, publisher.limits, wanted)

    def _line_over(self, tx: Transaction, who: Principal, line: Line, over: Over) -> dict[str, Any]:
        found = _id_in(line.body) if line.body else ""
        if not found:
            return _refused(line, too_many(over, datetime.now(UTC)))
        login = who.id.removeprefix("publisher:")
        known = receipts.find(tx, login, found)
        if known and known.is_kept:
            receipts.repeat(tx, known)
            return {"line": line.number, **shown_receipt(again(known))}
        return {"line": line.number, **shown_receipt(put_refused(tx, login, found, over))}

    def _line(self, tx: Transaction, who: Principal, line: Line) -> dict[str, Any]:
        tx.cause = Cause(actor=who.id)
        try:
            if line.body is None:
                raise invalid([{"field": "body", "message": f"a line has at most {LINE_BYTES} bytes"}])
            document = parse_json(line.body)
            if isinstance(document, dict) and "specversion" in document:
                return {"line": line.number, **shown_receipt(self._whole_event(tx, who, line.body))}
            received = self.bringing.body(tx, who, load(BODY, document))
        except Refusal as wrong:
            return _refused(line, wrong)
        return {"line": line.number, **_shown(received)}

    def _whole_event(self, tx: Transaction, who: Principal, body: bytes) -> Receipt:
        own = self.bringing.publisher(tx, who)
        if own is None:
            raise Forbidden(
                "publisher.key_missing", "需要发布方密钥", "a CloudEvent needs the publisher's API key"
            )
        try:
            event = read(Delivery(body, OPEN_EXCHANGE, login=own.login), self.bringing.app.registry)
            return self.bringing.message(tx, event)
        except Permanent as wrong:
            if not wrong.errors:
                raise  # not the sender's mistake
            raise invalid(wrong.errors) from wrong


def _shown(received: Received) -> dict[str, Any]:
    shown: dict[str, Any] = {"outcome": received.outcome}
    if received.outcome is not Outcome.DUPLICATE:
        shown["report_code"] = received.report.code
    if received.of:
        shown["of"] = received.of
    return shown


def _refused(line: Line, wrong: Refusal) -> dict[str, Any]:
    """A line that was not taken: by its number, and by its id where one can be read; beyond the limits, until when."""
    errors = wrong.errors or [{"field": "body", "message": wrong.en}]
    answer: dict[str, Any] = {"line": line.number, "outcome": Outcome.REJECTED, "errors": errors}
    found = _id_in(line.body) if line.body else ""
    if found:
        answer["message_id"] = found
    if isinstance(wrong, TooMany):
        answer |= {"outcome": Outcome.REFUSED, "code": wrong.code, **wrong.extra}
    return answer


def _id_in(body: bytes) -> str:
    found = claim_of(Delivery(body)).message_id
    return "" if found.startswith("sha256:") else found
