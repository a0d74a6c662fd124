from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.boards.model import (
    MemberBand,
    band_of,
    behind_of,
    count_bands,
    evaluate,
    part_of,
    placed,
    ranked,
)
from services.points.entries.model import Sums
from services.points.rule_sets.model import RuleSet

RULES = RuleSet(1, "village", "village", 1, date(2023, 1, 1), Decimal(80), Decimal(20), ())

amounts = st.decimals(0, 200, places=2)


@pytest.mark.parametrize(
    ("total", "band"),
    [
        ("100", "red"),
        ("90", "red"),
        ("89.99", "orange"),
        ("70", "orange"),
        ("69.99", "yellow"),
        ("60", "yellow"),
        ("59.99", "blue"),
        ("0", "blue"),
    ],
)
def test_bound_that_two_bands_print_belongs_to_the_higher_one(total, band):
    assert band_of(Decimal(total)) == band


@pytest.mark.parametrize(
    ("member", "sums", "total", "band"),
    [
        ("M1", ("80", "12", "0"), "92", "red"),
        ("M2", ("78", "0", "0"), "78", "orange"),
        ("M3", ("71", "0", "7"), "64", "yellow"),
        ("M4", ("62", "0", "10"), "52", "blue"),
        ("M5", ("80", "26", "0"), "100", "red"),
        ("base above its cap", ("95", "0", "0"), "80", "orange"),
        ("nothing but penalties", ("0", "0", "7"), "0", "blue"),
        ("exact to the hundredth", ("69.99", "0.02", "0.02"), "69.99", "yellow"),
    ],
)
def test_worked_members_of_the_village(member, sums, total, band):
    evaluation = evaluate(Sums(*map(Decimal, sums)), RULES)
    assert (evaluation.total, evaluation.band) == (Decimal(total), band)


@given(amounts, amounts, amounts)
def test_score_lies_between_0_and_100_and_awards_cannot_make_up_for_more_than_their_cap(base, award, penalty):
    evaluation = evaluate(Sums(base, award, penalty), RULES)
    assert 0 <= evaluation.total <= 100
    assert evaluation.base <= 80
    assert evaluation.award <= 20
    assert evaluate(Sums(base, award + 1, penalty), RULES).total >= evaluation.total
    assert evaluate(Sums(base, award, penalty + 1), RULES).total <= evaluation.total


def test_equal_totals_share_a_rank_and_the_next_one_is_skipped():
    board = ranked([("cy", Decimal(80)), ("ann", Decimal(92)), ("bo", Decimal(80)), ("di", Decimal(52))])
    assert [(each.rank, each.person_id) for each in board] == [(1, "ann"), (2, "bo"), (2, "cy"), (4, "di")]
    assert count_bands(board) == {"red": 1, "orange": 2, "yellow": 0, "blue": 1}


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 5).map(Decimal)), st.integers(1, 3)
)
def test_pages_of_a_board_hold_everybody_once(totals, size):
    board = ranked(totals.items())
    seen, rest = [], board
    while rest:
        seen += rest[:size]
        rest = behind_of(board, seen[-1].total, seen[-1].person_id)
    assert seen == board
    assert all(each.band in MemberBand for each in seen)


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 5).map(Decimal)), st.integers(0, 8)
)
def test_part_that_follows_a_place_has_the_ranks_of_the_whole(totals, skipped):
    whole = ranked(totals.items())
    rest = whole[skipped:]
    if rest:
        better = sum(1 for each in whole if each.total > rest[0].total)
        assert placed([(each.person_id, each.total) for each in rest], skipped + 1, better + 1) == rest


def test_part_of_a_board_stands_behind_the_cursor_and_counts_the_whole():
    totals = [("m1", Decimal(6)), ("m2", Decimal(95)), ("m3", Decimal(6)), ("m4", Decimal(0))]
    part = part_of(totals, (Decimal(6), "m1"), 1)
    assert [(each.person_id, each.rank) for each in part.standings] == [("m3", 2)]
    assert part.bands == {"red": 1, "orange": 0, "yellow": 0, "blue": 3}
