"""The checker is given records that are broken in one way each, and must name what is wrong."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from kit.checker import check
from kit.ledger import Ledger
from kit.records import INCIDENT, Effect, Heard, Held, Receipt, Records, ServiceRecords, Sum, Told

START = datetime(2025, 1, 1, tzinfo=UTC)

LISTENERS = {
    INCIDENT: ("intake",),
    "report.accepted.v1": ("dispatch",),
    "case.filed.v1": ("intake", "notify"),
    "case.closed.v1": ("notify",),
}

INCIDENT_SENT = {"id": "m-1", "type": INCIDENT}
ACCEPTED = Told("r-1", "report.accepted.v1", "intake", "R1", "R1", 1)
FILED = Told("f-1", "case.filed.v1", "dispatch", "C1", "C1", 1)
CLOSED = Told("c-1", "case.closed.v1", "dispatch", "C1", "C1", 2)


def heard(event_id, event_type, second=0, **more):
    return Heard(event_id, event_type, START + timedelta(seconds=second), **more)


@pytest.fixture
def ledger():
    """One incident was sent."""
    kept = Ledger()
    kept.good(INCIDENT_SENT)
    return kept


@pytest.fixture
def well():
    """What becomes of one incident when all is well: a report, its case, its closing, two notices."""
    return Records(
        {
            "intake": ServiceRecords(
                told=(ACCEPTED,),
                heard=(heard("m-1", INCIDENT), heard("f-1", "case.filed.v1", 1)),
                effects=(Effect("report with case", "C1"),),
                receipts=(Receipt("m-1", "accepted"),),
            ),
            "dispatch": ServiceRecords(
                told=(FILED, CLOSED),
                heard=(heard("r-1", "report.accepted.v1"),),
                effects=(Effect("case of report", "R1"), Effect("filing of report", "R1")),
            ),
            "notify": ServiceRecords(
                heard=(heard("f-1", "case.filed.v1", 1), heard("c-1", "case.closed.v1", 2)),
                effects=(
                    Effect("notice", "f-1 hx-1 in_app", "f-1"),
                    Effect("notice", "c-1 hx-1 in_app", "c-1"),
                ),
            ),
            "points": ServiceRecords(sums=(Sum("the account of hx-1", Decimal(3), Decimal(3)),)),
        },
        LISTENERS,
        {"dispatch.home.0": 0, "notify.dead": 0},
    )


def with_service(records, name, **changes):
    return replace(records, services={**records.services, name: replace(records.services[name], **changes)})


def without_mark(records, name, event_id):
    marks = tuple(mark for mark in records.services[name].heard if mark.event_id != event_id)
    return with_service(records, name, heard=marks)


def the_only_difference(records, ledger):
    (difference,) = check(records, ledger)
    return difference


def test_a_system_in_which_all_went_well_has_no_difference(well, ledger):
    assert check(well, ledger) == []


def test_a_lost_fact_is_named_with_the_service_that_misses_it(well, ledger):
    told = the_only_difference(without_mark(well, "notify", "c-1"), ledger)
    assert "notify never processed case.closed.v1" in told
    assert "c-1" in told
    assert "in no inbox of notify, not held, its queues are empty" in told


def test_a_lost_message_of_a_publisher_is_missed_though_no_outbox_knows_it(well, ledger):
    told = the_only_difference(without_mark(well, "intake", "m-1"), ledger)
    assert "intake never processed incident.reported.v1" in told
    assert "m-1" in told


def test_what_was_not_published_is_found_in_the_outbox(well, ledger):
    broken = with_service(
        without_mark(well, "notify", "c-1"), "dispatch", told=(FILED, replace(CLOSED, is_published=False))
    )
    pending, lost = check(broken, ledger)
    assert "dispatch has not published case.closed.v1" in pending
    assert "in the outbox of dispatch, unpublished" in lost


def test_what_no_queue_took_is_told(well, ledger):
    broken = with_service(
        without_mark(well, "notify", "c-1"), "dispatch", told=(FILED, replace(CLOSED, is_routed=False))
    )
    unrouted, lost = check(broken, ledger)
    assert "no queue took it" in unrouted
    assert "returned by the broker" in lost


def test_what_waits_in_a_queue_or_a_dead_queue_is_likely_what_is_missing(well, ledger):
    broken = replace(without_mark(well, "notify", "c-1"), queues={"notify.dead": 1, "notify.xinghua.2": 0})
    waiting, lost = check(broken, ledger)
    assert waiting == "1 messages wait in notify.dead"
    assert "likely in notify.dead (1)" in lost


def test_a_fact_processed_twice_is_named(well, ledger):
    notify = well.services["notify"]
    told = the_only_difference(with_service(well, "notify", heard=(*notify.heard, notify.heard[0])), ledger)
    assert "notify processed one case.filed.v1 2 times" in told
    assert "f-1" in told


def test_an_effect_that_is_there_twice_is_named(well, ledger):
    dispatch = well.services["dispatch"]
    doubled = (*dispatch.effects, Effect("case of report", "R1"))
    told = the_only_difference(with_service(well, "dispatch", effects=doubled), ledger)
    assert told == "dispatch has one case of report 2 times: 1 of them, for example R1"


def test_an_event_that_was_marked_but_had_no_effect_is_named(well, ledger):
    kept = (Effect("filing of report", "R1"),)
    told = the_only_difference(with_service(well, "dispatch", effects=kept), ledger)
    assert "dispatch processed report.accepted.v1 and has no case of report of it" in told


def test_a_refused_event_needs_no_effect(well, ledger):
    refused = (heard("r-1", "report.accepted.v1", refused="case.exists"),)
    assert check(with_service(well, "dispatch", heard=refused, effects=()), ledger) == []


def test_a_processed_event_that_nobody_committed_is_an_invention(well, ledger):
    notify = well.services["notify"]
    invented = (*notify.heard, heard("x-9", "case.closed.v1", 3))
    told = the_only_difference(with_service(well, "notify", heard=invented), ledger)
    assert "notify processed a case.closed.v1 that nobody committed" in told
    assert "x-9" in told


def test_an_effect_of_an_event_that_nobody_committed_is_an_invention(well, ledger):
    notify = well.services["notify"]
    invented = (*notify.effects, Effect("notice", "x-9 hx-1 in_app", "x-9"))
    told = the_only_difference(with_service(well, "notify", effects=invented), ledger)
    assert "notify has a notice of an event that nobody committed" in told


def test_a_case_of_a_report_that_was_never_accepted_is_an_invention(well, ledger):
    dispatch = well.services["dispatch"]
    invented = (*dispatch.effects, Effect("case of report", "R9"))
    told = the_only_difference(with_service(well, "dispatch", effects=invented), ledger)
    assert "dispatch has a case of report that no report.accepted.v1 asked for" in told


def test_a_gap_in_the_numbers_of_an_aggregate_is_named(well, ledger):
    gapped = replace(CLOSED, sequence=3)
    told = the_only_difference(with_service(well, "dispatch", told=(FILED, gapped)), ledger)
    assert told == "dispatch numbers the facts of case:C1 1, 3: a gap or a repetition"


def test_effects_out_of_the_order_of_their_numbers_are_named(well, ledger):
    turned = (heard("f-1", "case.filed.v1", 2), heard("c-1", "case.closed.v1", 1))
    told = the_only_difference(with_service(well, "notify", heard=turned), ledger)
    assert (
        "notify processed case:C1 out of order: case.closed.v1 (number 2, c-1) before case.filed.v1" in told
    )


def test_the_place_of_the_effect_itself_counts_before_the_time_of_the_mark(well, ledger):
    turned = (Effect("notice", "c-1", "c-1", place=1), Effect("notice", "f-1", "f-1", place=2))
    assert "out of order" in the_only_difference(with_service(well, "notify", effects=turned), ledger)


def test_what_an_operator_let_in_again_may_come_late(well, ledger):
    turned = (heard("f-1", "case.filed.v1", 2), heard("c-1", "case.closed.v1", 1))
    replayed = (Held("f-1", "case.filed.v1", "done", "bug.KeyError"),)
    assert check(with_service(well, "notify", heard=turned, held=replayed), ledger) == []


def test_what_was_deferred_and_tried_again_must_keep_its_order(well, ledger):
    turned = (heard("f-1", "case.filed.v1", 2), heard("c-1", "case.closed.v1", 1))
    retried = (Held("f-1", "case.filed.v1", "done", "temporary"),)
    assert "out of order" in the_only_difference(
        with_service(well, "notify", heard=turned, held=retried), ledger
    )


def test_a_deferred_event_is_an_orphan_once_all_is_quiet(well, ledger):
    held = (Held("c-1", "case.closed.v1", "deferred", "temporary"),)
    broken = with_service(without_mark(well, "notify", "c-1"), "notify", held=held)
    assert the_only_difference(broken, ledger).startswith("notify still defers case.closed.v1: temporary")


def test_a_good_fact_that_was_parked_is_named_with_the_cause(well, ledger):
    held = (Held("c-1", "case.closed.v1", "quarantined", "bug.KeyError"),)
    broken = with_service(without_mark(well, "notify", "c-1"), "notify", held=held)
    told = the_only_difference(broken, ledger)
    assert told == "notify parked a good case.closed.v1: bug.KeyError: 1 of them, for example c-1"


def test_poison_is_parked_once_and_answered(well, ledger):
    ledger.poison({"id": "p-1"})
    intake = well.services["intake"]
    parked = with_service(
        well,
        "intake",
        held=(Held("p-1", "", "quarantined", "bad_envelope"),),
        receipts=(*intake.receipts, Receipt("p-1", "quarantined")),
    )
    assert check(parked, ledger) == []
    assert the_only_difference(well, ledger).startswith("poison is parked nowhere")
    twice = with_service(parked, "intake", held=parked.services["intake"].held * 2)
    assert any("more often than it was sent" in told for told in check(twice, ledger))
    unanswered = with_service(parked, "intake", receipts=intake.receipts)
    assert "has answered 0 of them quarantined" in the_only_difference(unanswered, ledger)


def test_poison_that_was_mended_and_let_in_again_must_take_effect(well, ledger):
    ledger.poison({"id": "p-1"})
    ledger.mended({"id": "p-1"}, {"id": "p-1", "type": INCIDENT})
    assert any("intake never processed incident.reported.v1" in told for told in check(well, ledger))


@pytest.mark.parametrize(
    ("receipts", "told"),
    [
        ((), "m-1 answered not at all; accepted was due"),
        ((Receipt("m-1", "duplicate"),), "m-1 answered duplicate; accepted was due"),
        ((Receipt("m-1", "accepted", 2),), "the receipt of m-1 was told 2 times to 1 copies"),
        ((Receipt("m-1", "accepted", 0),), "the receipt of m-1 was told 0 times to 1 copies"),
        (
            (Receipt("m-1", "accepted"), Receipt("m-9", "accepted")),
            "a receipt accepted for a message that nobody sent: 1 of them, for example m-9",
        ),
    ],
)
def test_every_message_has_exactly_one_receipt_of_the_right_outcome(well, ledger, receipts, told):
    assert the_only_difference(with_service(well, "intake", receipts=receipts), ledger) == told


def test_of_two_messages_that_tell_the_same_one_is_accepted_and_one_is_its_duplicate(well, ledger):
    ledger.same({"id": "m-2", "type": INCIDENT}, {"id": "m-3", "type": INCIDENT})
    intake = well.services["intake"]
    both = with_service(well, "intake", heard=(*intake.heard, heard("m-2", INCIDENT), heard("m-3", INCIDENT)))

    def answered(*outcomes):
        receipts = [Receipt(f"m-{number}", outcome) for number, outcome in enumerate(outcomes, 2)]
        return check(with_service(both, "intake", receipts=(*intake.receipts, *receipts)), ledger)

    assert answered("accepted", "duplicate") == answered("duplicate", "accepted") == []
    assert answered("accepted", "accepted") == [
        "m-2 and m-3 answered accepted, accepted; accepted, duplicate was due"
    ]


def test_a_copy_of_a_message_may_be_answered_again(well, ledger):
    ledger.sent_again(INCIDENT_SENT)
    answered = with_service(well, "intake", receipts=(Receipt("m-1", "accepted", 2),))
    assert check(answered, ledger) == []


def test_points_that_do_not_add_up_are_named(well, ledger):
    broken = with_service(well, "points", sums=(Sum("the account of hx-1", Decimal(4), Decimal(3)),))
    assert the_only_difference(broken, ledger) == ("points: the account of hx-1 is 4, its parts add up to 3")


def test_many_events_of_one_fate_are_one_line_with_their_number(well, ledger):
    ledger.good(*({"id": f"n-{number}", "type": INCIDENT} for number in range(50)))
    answers = tuple(Receipt(message_id, "accepted") for message_id in ledger.copies)
    told = the_only_difference(with_service(well, "intake", receipts=answers), ledger)
    assert "50 of them, for example n-0, n-1, n-2" in told
