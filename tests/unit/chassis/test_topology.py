import pytest

from wangge.chassis.topology import is_claimed, keys_of
from wangge.contracts.events import REGISTRY


def test_a_cell_claims_its_areas_and_whatever_lies_inside():
    assert keys_of(["140109004", "14080200290200100"]) == [
        "*.*.14.01.09.004.#",
        "*.*.14.08.02.002.902.001.#",  # a grid with its micro-grids
    ]


@pytest.mark.parametrize(
    ("key", "claimed"),
    [
        ("case.closed.14.01.09.004", True),
        ("case.closed.14.01.09.004.901.001.02", True),
        ("case.closed.14.01.09", False),
        ("case.closed.14.01.09.005.901", False),
        ("case.closed.11.14.01.09.004", False),
        ("case.closed", False),
        ("", False),
    ],
)
def test_a_message_belongs_to_the_cell_that_its_bindings_match(key, claimed):
    assert is_claimed(["140105", "140109004"], key) is claimed


def test_every_fact_has_the_two_words_that_a_binding_expects_before_the_area():
    assert {event.name.count(".") for event in REGISTRY} == {1}
