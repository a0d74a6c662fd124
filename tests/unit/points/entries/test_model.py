from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.entries.model import (
    MOVES,
    Book,
    Decision,
    Entry,
    EntryState,
    Source,
    Sums,
    Tally,
    check_record,
    counter_entry,
    post,
    review,
)
from services.points.rule_sets.model import Part, RuleItem, RuleSet
from wangge.chassis.errors import Conflict, Forbidden, Invalid

NOW = datetime(2025, 9, 14, 1, 0, tzinfo=UTC)
TODAY = date(2025, 9, 14)

ITEMS = (
    RuleItem("B1", Part.BASE, "大会", Decimal(6), evidence_required=True),
    RuleItem("B2", Part.BASE, "学习", Decimal(5), value_min=Decimal(1)),
    RuleItem("A4", Part.AWARD, "隐患", Decimal(2), per_period_cap=Decimal(5)),
    RuleItem("A6", Part.AWARD, "表彰", Decimal(4), max_times=1),
    RuleItem("A7", Part.AWARD, "见义勇为", Decimal(5), value_min=Decimal(1), max_times=2),
    RuleItem("P4", Part.PENALTY, "赌博", Decimal(10)),
)
RULES = RuleSet(1, "village", "village", 1, date(2023, 1, 1), Decimal(80), Decimal(20), ITEMS)


def an_entry(item: str = "A4", entry_id: str = "e1", **changes) -> Entry:
    rule = RULES.item(item)
    entry = Entry(
        entry_id=entry_id,
        person_id="ann",
        site="village",
        area="14010510090100100",
        item=item,
        part=rule.part,
        value=rule.value,
        rule_set_id=1,
        period="2025Q3",
        occurred_on=TODAY,
        state=EntryState.RECORDED,
        source=Source.MANUAL,
        recorded_by="clerk",
        recorded_at=NOW,
    )
    return replace(entry, **changes)


def posted(item: str = "A4", entry_id: str = "e1", **changes) -> Entry:
    return an_entry(item, entry_id, state=EntryState.POSTED, posted_at=NOW, **changes)


def a_book() -> Book:
    return Book({1: RULES}, {}, {})


# recording


@pytest.mark.parametrize(
    ("item", "value", "evidence", "day", "wrong"),
    [
        ("A4", None, [], TODAY, set()),
        ("A4", "2", [], TODAY, set()),
        ("B2", "1", [], TODAY, set()),
        ("B1", None, ["photo"], TODAY, set()),
        ("A4", "3", [], TODAY, {"value"}),
        ("B2", "0.99", [], TODAY, {"value"}),
        ("B1", None, [], TODAY, {"evidence"}),
        ("none", "3", [], TODAY, {"item"}),
        ("B1", "7", [], date(2025, 9, 15), {"value", "evidence", "occurred_on"}),
    ],
)
def test_record_names_every_wrong_field(item, value, evidence, day, wrong):
    if not wrong:
        check_record(RULES.item(item), value and Decimal(value), evidence, day, TODAY)
        return
    with pytest.raises(Invalid) as refused:
        check_record(RULES.item(item), value and Decimal(value), evidence, day, TODAY)
    assert {error["field"] for error in refused.value.errors} == wrong


# the workflow


def run(entry: Entry, command: str) -> Entry:
    match command:
        case "review":
            return review(entry, Decision.POST, "reviewer", NOW, None)
        case "refuse":
            return review(entry, Decision.REFUSE, "reviewer", NOW, "不属实")
        case "post":
            return post(entry, entry.period, NOW)
        case _:
            return counter_entry(entry, "e2", entry.period, "reviewer", NOW, "记错")[0]


@pytest.mark.parametrize("state", EntryState)
@pytest.mark.parametrize("command", MOVES)
def test_only_the_listed_moves_are_allowed(state, command):
    before, after = MOVES[command]
    entry = an_entry(state=state)
    if state is before:
        moved = run(entry, command)
        assert (moved.state, moved.version) == (after, entry.version + 1)
    else:
        with pytest.raises(Conflict) as refused:
            run(entry, command)
        assert refused.value.code == "entry.move_forbidden"
        assert refused.value.extra["allowed"] == [
            name for name, (source, _) in MOVES.items() if source is state
        ]


@pytest.mark.parametrize("decision", Decision)
def test_recorder_does_not_review_what_they_recorded(decision):
    with pytest.raises(Forbidden) as refused:
        review(an_entry(), decision, "clerk", NOW, None)
    assert refused.value.code == "entry.same_person"


def test_entry_of_a_closed_period_counts_in_the_next_one_and_says_so():
    entry = post(an_entry(state=EntryState.REVIEWED, note="补记"), "2025Q4", NOW)
    assert (entry.period, entry.note) == ("2025Q4", "补记；2025Q3 已关闭，计入 2025Q4")


def test_counter_entry_names_what_it_takes_back_and_is_not_taken_back_itself():
    taken_back, counter = counter_entry(posted(evidence=({"url": "x"},)), "e2", "2025Q3", "boss", NOW, "记错")
    assert (taken_back.reversed_by, taken_back.reversed_in) == ("e2", "2025Q3")
    assert (counter.reverses, counter.recorded_by, counter.evidence) == ("e1", "boss", ())
    assert (counter.is_carried, counter.state, counter.version) == (False, EntryState.POSTED, 1)
    with pytest.raises(Conflict) as refused:
        counter_entry(counter, "e3", "2025Q3", "boss", NOW, "再来")
    assert refused.value.code == "entry.is_counter"


# what counts


def take_back(book: Book, entry: Entry, period: str = "2025Q3") -> Decimal:
    _, counter = counter_entry(entry, f"c-{entry.entry_id}", period, "boss", NOW, "记错")
    return book.take_back(counter, entry.period).counted


def test_entries_count_up_to_the_cap_of_their_item():
    book = a_book()
    assert [book.post(posted(entry_id=f"e{n}")).counted for n in range(4)] == [
        Decimal(2),
        Decimal(2),
        Decimal(1),
        Decimal(0),
    ]
    assert book.sums == {("ann", "2025Q3"): Sums(award=Decimal(5), rule_set_id=1)}


def test_entries_count_as_often_as_their_item_allows():
    book = a_book()
    assert [book.post(posted("A6", f"e{n}")).counted for n in range(2)] == [Decimal(4), Decimal(0)]


def test_the_greatest_values_count_where_an_item_counts_only_so_often():
    book = a_book()
    values = [Decimal(1), Decimal(3), Decimal(2)]
    assert [book.post(posted("A7", f"e{n}", value=value)).counted for n, value in enumerate(values)] == [
        Decimal(1),
        Decimal(3),
        Decimal(1),
    ]


def test_entry_taken_back_makes_room_under_the_cap():
    book = a_book()
    entries = [posted(entry_id=f"e{n}") for n in range(4)]
    for entry in entries:
        book.post(entry)
    assert [take_back(book, entry) for entry in entries] == [Decimal(0), Decimal(1), Decimal(2), Decimal(2)]


def test_entry_of_a_closed_period_goes_on_counting_there_and_the_next_one_bears_its_reversal():
    book = a_book()
    entry = book.post(posted())
    assert take_back(book, entry, "2025Q4") == Decimal(2)
    assert book.sums["ann", "2025Q3"].award == Decimal(2)
    assert book.sums["ann", "2025Q4"].award == Decimal(-2)


def test_item_that_the_latest_rules_no_longer_have_counts_without_limit():
    without = replace(RULES, rule_set_id=2, items=ITEMS[:1])
    book = Book({1: RULES, 2: without}, {}, {("ann", "2025Q3", "A6"): Tally({Decimal(4): 1}, 2)})
    assert book.post(posted("A6")).counted == Decimal(4)


steps = st.lists(st.tuples(st.sampled_from([item.code for item in ITEMS]), st.booleans()), max_size=12)


@given(steps, st.randoms())
def test_what_is_posted_and_taken_back_sums_to_what_still_counts_in_any_order(plan, chance):
    """Conservation: what is told adds up to the sums, and to nothing once all is taken back."""
    entries = {f"e{n}": posted(item, f"e{n}") for n, (item, _) in enumerate(plan)}
    kept = {f"e{n}" for n, (_, is_kept) in enumerate(plan) if is_kept}
    moves = [("post", name) for name in entries]
    chance.shuffle(moves)
    for name in sorted(entries.keys() - kept):
        first = moves.index(("post", name))
        moves.insert(chance.randint(first + 1, len(moves)), ("take_back", name))
    book, told = a_book(), Sums()
    for move, name in moves:
        entry = entries[name]
        change = book.post(entry).counted if move == "post" else -take_back(book, entry)
        told = told.plus(entry.part, change, 1)
    straight = a_book()
    for name in kept:
        straight.post(entries[name])
    place = ("ann", "2025Q3")
    assert told == book.sums.get(place, Sums())
    assert replace(told, rule_set_id=0) == replace(straight.sums.get(place, Sums()), rule_set_id=0)
    assert {line: tally.times for line, tally in book.tallies.items() if tally.times} == {
        line: tally.times for line, tally in straight.tallies.items()
    }
