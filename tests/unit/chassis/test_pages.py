import pytest
from hypothesis import given
from hypothesis import strategies as st

from wangge.chassis.errors import Invalid
from wangge.chassis.pages import cursor_of, key_of, page


@given(st.lists(st.one_of(st.text(max_size=20), st.integers(-(2**53), 2**53)), min_size=1, max_size=3))
def test_a_cursor_gives_its_key_back(key):
    assert key_of(cursor_of(*key), len(key)) == key


@pytest.mark.parametrize("cursor", ["x", "!!!", "e30", "W10", "WzEsMl0"])
def test_a_foreign_cursor_is_refused(cursor):
    with pytest.raises(Invalid):
        key_of(cursor, 1)


def test_the_first_page_has_no_key():
    assert key_of(None, 1) is None


def test_a_page_tells_whether_there_is_more():
    rows = [{"id": n} for n in range(4)]
    assert page(rows, 3, lambda row: (row["id"],)) == {"items": rows[:3], "next_cursor": cursor_of(2)}
    assert page(rows, 4, lambda row: (row["id"],))["next_cursor"] is None
