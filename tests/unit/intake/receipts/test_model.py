from services.intake.receipts.model import Outcome, Receipt, again


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
