from services.intake.receipts.quarantine import errors_of
from wangge.chassis.errors import Permanent


def test_the_sender_learns_its_own_mistakes_and_nothing_of_ours():
    wrong = Permanent("bad_data", "…", [{"field": "data.text", "message": "missing"}])
    assert errors_of(wrong) == (("data.text", "missing"),)
    assert errors_of(Permanent("bug.KeyError", "secret")) == (
        ("body", "internal error, kept for an operator"),
    )
    assert errors_of(Permanent("delivery_limit", "delivered 20 times")) == (("body", "delivered 20 times"),)


def test_long_errors_are_cut_to_the_receipts_contract():
    ((field, message),) = errors_of(Permanent("x", "y", [{"field": "f" * 999, "message": "m" * 9999}]))
    assert (len(field), len(message)) == (200, 1000)
