"""Answers publishers: on the bus and over HTTP."""

from typing import Any

from services.intake.directory import DirectoryCache
from services.intake.publishers.model import PUBLISHER, answer_to
from services.intake.receipts import store
from services.intake.receipts.model import Outcome, Receipt, again
from services.intake.receipts.quarantine import LOGIN_CHARACTERS, errors_of
from services.intake.receipts.schemas import ReceiptAnswer, shown
from wangge.chassis.claims import claim_of
from wangge.chassis.delivery import Delivery
from wangge.chassis.errors import NotFound, Permanent
from wangge.chassis.http import Ask, route
from wangge.chassis.transaction import Transaction
from wangge.contracts.envelope import Event

INCIDENTS = "incidents"
REPORTED = "incident.reported.v1"


def tell(tx: Transaction, receipt: Receipt) -> None:
    """Publish a receipt to its publisher."""
    tx.record("receipt.issued.v1", shown(receipt), routing_key=receipt.publisher)


class ReceiptEntrypoints:
    """The answers to messages that were quarantined or repeated, and the question about any of them."""

    directory: DirectoryCache

    @route("GET", "/v1/receipts/<publisher>/<path:message_id>", answer=ReceiptAnswer(), tag="receipts")
    def show_receipt(self, tx: Transaction, ask: Ask, publisher: str, message_id: str) -> dict[str, Any]:
        """The receipt of a message: for the publisher itself, admins and intake operators."""
        is_own = ask.who.id == f"publisher:{publisher}" and PUBLISHER in ask.who.roles
        receipt = None
        if is_own or ask.who.has_role("intake_operator"):
            receipt = store.find(tx, publisher, message_id)
        if receipt is None:
            raise NotFound("receipt.not_found", "没有这条回执", f"no receipt for {publisher}/{message_id}")
        return shown(receipt)

    def quarantined(self, tx: Transaction, delivery: Delivery, fault: Permanent) -> None:
        """Tell the sender of an incident what was wrong with it. A final receipt of the same message stays."""
        if delivery.exchange != INCIDENTS:
            return
        claim = claim_of(delivery)
        login = answer_to(delivery.login, claim.source, self.directory.of(tx).publishers)
        receipt = Receipt(
            login[:LOGIN_CHARACTERS], claim.message_id, Outcome.QUARANTINED, errors=errors_of(fault)
        )
        store.put(tx, receipt)
        tell(tx, receipt)

    def repeated(self, tx: Transaction, event: Event) -> None:
        """Answer a message that was sent again; a message still waiting for its turn is answered then."""
        if event.type != REPORTED:
            return
        login = answer_to(event.origin, event.source, self.directory.of(tx).publishers)
        receipt = store.find(tx, login[:LOGIN_CHARACTERS], event.id)
        if receipt:
            tell(tx, again(receipt))
