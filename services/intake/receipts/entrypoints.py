"""Answers publishers: on the bus and over HTTP."""

from typing import Any

from services.intake.directory import DirectoryCache
from services.intake.publishers import quota
from services.intake.publishers.model import answer_to, may_read
from services.intake.publishers.pace import Pace
from services.intake.receipts import store
from services.intake.receipts.gate import Gate
from services.intake.receipts.model import Outcome, Receipt, again, dropped
from services.intake.receipts.quarantine import INCIDENTS, LOGIN_CHARACTERS, REPORTED, errors_of
from services.intake.receipts.schemas import ReceiptAnswer, shown
from services.intake.receipts.telling import tell
from wangge.chassis.app import App
from wangge.chassis.claims import claim_of
from wangge.chassis.delivery import Delivery
from wangge.chassis.errors import NotFound, Permanent
from wangge.chassis.http import Ask, route
from wangge.chassis.transaction import Transaction
from wangge.contracts.envelope import Event


class ReceiptEntrypoints:
    """The answers to messages that were quarantined or repeated, and the question about any of them."""

    app: App
    directory: DirectoryCache
    pace: Pace

    def admitted(self, batch: list[Delivery]) -> list[Delivery]:
        """Let in what its senders' quota and pace allow; the rest is answered at once."""
        return Gate(self.app, self.directory, self.pace).admitted(batch)

    @route("GET", "/v1/receipts/<publisher>/<path:message_id>", answer=ReceiptAnswer(), tag="receipts")
    def show_receipt(self, tx: Transaction, ask: Ask, publisher: str, message_id: str) -> dict[str, Any]:
        """The receipt of a message: for the publisher itself, admins and intake operators."""
        may = may_read(ask.who.id, ask.who.roles, publisher)
        receipt = store.find(tx, publisher, message_id) if may else None
        if receipt is None:
            raise NotFound("receipt.not_found", "没有这条回执", f"no receipt for {publisher}/{message_id}")
        return shown(receipt)

    def quarantined(self, tx: Transaction, delivery: Delivery, fault: Permanent) -> None:
        """Tell the sender of an incident what was wrong with it. A final receipt of the same message stays.

        It counts for the day's quota the first time: junk must not be free.
        """
        if delivery.exchange != INCIDENTS:
            return
        login, message_id = self._sent_as(tx, delivery)
        publisher = self.directory.of(tx).publishers.by_login.get(login)
        if publisher and store.find(tx, login, message_id) is None:
            quota.count(tx, publisher, is_bound=False)
        receipt = Receipt(login, message_id, Outcome.QUARANTINED, errors=errors_of(fault))
        store.put(tx, receipt)
        tell(tx, receipt)

    def dropped(self, tx: Transaction, delivery: Delivery, reason: str) -> None:
        """Tell the sender of an incident that an operator gave it up, and why. A final receipt stays."""
        if delivery.exchange != INCIDENTS:
            return
        login, message_id = self._sent_as(tx, delivery)
        known = store.find(tx, login, message_id)
        if known is None or known.outcome is Outcome.QUARANTINED:
            receipt = dropped(login, message_id, reason)
            store.put(tx, receipt)
            tell(tx, receipt)

    def repeated(self, tx: Transaction, event: Event) -> None:
        """Answer a message that was sent again; a message still waiting for its turn is answered then."""
        if event.type != REPORTED:
            return
        login = answer_to(event.origin, event.source, self.directory.of(tx).publishers)
        receipt = store.find(tx, login[:LOGIN_CHARACTERS], event.id)
        if receipt:
            store.repeat(tx, receipt)
            tell(tx, again(receipt))

    def _sent_as(self, tx: Transaction, delivery: Delivery) -> tuple[str, str]:
        claim = claim_of(delivery)
        login = answer_to(delivery.login, claim.source, self.directory.of(tx).publishers)
        return login[:LOGIN_CHARACTERS], claim.message_id
