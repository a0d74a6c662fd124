import hashlib
import random

from hypothesis import given
from hypothesis import strategies as st

from wangge.contracts.digests import digest_of


def test_the_digest_is_that_of_the_sorted_ids_joined_by_line_feeds():
    assert digest_of(["b", "a", "路灯"]) == hashlib.sha256("a\nb\n路灯".encode()).hexdigest()


def test_ids_are_sorted_by_their_bytes_not_by_a_language():
    assert digest_of(["a", "B", "_"]) == hashlib.sha256(b"B\n_\na").hexdigest()


def test_the_digest_of_no_message_is_that_of_nothing():
    assert digest_of([]) == hashlib.sha256(b"").hexdigest()


@given(st.lists(st.text(min_size=1, max_size=20).filter(lambda text: "\n" not in text), unique=True))
def test_the_order_of_the_log_makes_no_difference_and_a_missing_message_does(ids):
    shuffled = random.sample(ids, len(ids))
    assert digest_of(shuffled) == digest_of(ids)
    assert all(digest_of([one for one in ids if one != gone]) != digest_of(ids) for gone in ids)
