from datetime import UTC, datetime

import pytest

from services.intake.receipts.model import Outcome, Receipt, again, dropped, refused
from wangge.contracts.events.external import ReceiptIssued


def test_a_message_sent_again_is_answered_with_the_report_that_it_made():
    accepted = Receipt("hotline", "m1", Outcome.ACCEPTED, "BG20230914-000001")
    assert again(accepted) == Receipt("hotline", "m1", Outcome.DUPLICATE, of="BG20230914-000001")


def test_a_repeated_repetition_still_names_the_first_report():
    duplicate = Receipt("hotline", "m2", Outcome.DUPLICATE, of="BG20230914-000001")
    assert again(duplicate) == duplicate


def test_a_message_still_in_quarantine_is_told_so_again():
    held = Receipt("hotline", "m3", Outcome.QUARANTINED, errors=(("data.text", "missing"),))
    assert again(held) == held
    assert not held.is_final


@pytest.mark.parametrize(
    ("outcome", "is_final", "is_kept"),
    [
        (Outcome.ACCEPTED, True, True),
        (Outcome.DUPLICATE, True, True),
        (Outcome.MERGED, True, True),
        (Outcome.REJECTED, True, True),
        (Outcome.QUARANTINED, False, True),
        (Outcome.REFUSED, False, False),
        (Outcome.DROPPED, False, False),
    ],
)
def test_what_stands_and_what_may_be_sent_again(outcome, is_final, is_kept):
    receipt = Receipt("hotline", "m4", outcome)
    assert (receipt.is_final, receipt.is_kept) == (is_final, is_kept)


def test_every_outcome_is_one_that_the_contract_knows():
    field = ReceiptIssued().fields["outcome"]
    for outcome in Outcome:
        field.deserialize(outcome)


def test_a_refused_message_is_told_the_limit_and_when_to_come_again():
    at = datetime(2026, 3, 1, tzinfo=UTC)
    receipt = refused("hotline", "m5", "pace.exceeded", "at most 60", at)
    assert (receipt.outcome, receipt.code, receipt.retry_at) == ("refused", "pace.exceeded", at)
    assert receipt.errors == (("publisher", "at most 60"),)
    assert dropped("hotline", "m6", "a test").errors == (("body", "a test"),)
