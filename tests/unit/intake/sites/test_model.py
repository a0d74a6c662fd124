from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from services.intake.sites.model import changes


@dataclass(frozen=True)
class Thing:
    key: str
    value: int
    is_ended: bool = False


def end(thing):
    return replace(thing, is_ended=True)


def by_key(*things):
    return {thing.key: thing for thing in things}


def test_only_what_differs_is_written_and_what_is_missing_is_ended():
    before = by_key(Thing("same", 1), Thing("other", 1), Thing("gone", 1), Thing("long gone", 1, True))
    after = by_key(Thing("same", 1), Thing("other", 2), Thing("new", 1))
    assert changes(before, after, end) == [Thing("other", 2), Thing("new", 1), Thing("gone", 1, True)]


def test_what_comes_back_is_written():
    assert changes(by_key(Thing("a", 1, True)), by_key(Thing("a", 1)), end) == [Thing("a", 1)]


keyed = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2)).map(
    lambda found: {key: Thing(key, value) for key, value in found.items()}
)


@given(keyed, keyed)
def test_applying_what_was_applied_changes_nothing(before, after):
    written = by_key(*changes(before, after, end))
    assert changes({**before, **written}, after, end) == []
