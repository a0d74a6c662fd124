import pytest

from wangge.conformance.report import POINTS
from wangge.conformance.samples import Samples
from wangge.contracts.areas import Area
from wangge.contracts.envelope import Event
from wangge.contracts.events import REGISTRY

AREA = "14080200290200100"


@pytest.mark.parametrize("event_type", [event.type for event in REGISTRY])
def test_an_example_of_each_event_fits_its_contract_and_lies_in_the_area(event_type):
    event = Samples(AREA, "1764000000123").event(event_type)
    read = Event.from_json(event.to_json())
    REGISTRY[event_type].loader.load(read.data)
    assert read.area is None or Area.parse(read.area).code.startswith(AREA[:12])
    assert read.partitionkey == event.partitionkey


def test_examples_differ_unless_they_are_of_one_key():
    samples = Samples(AREA, "1764000000123")
    one, other = samples.event("case.closed.v1"), samples.event("case.closed.v1")
    assert one.subject != other.subject
    first, second = (
        samples.event("case.closed.v1", key="7"),
        samples.event("case.closed.v1", key="7", sequence=2),
    )
    assert (first.subject, first.id == second.id) == (second.subject, False)


def test_every_point_says_what_it_demands_and_has_a_name_of_its_own():
    assert all(point.demands for point in POINTS)
    assert len({point.name for point in POINTS}) == len(POINTS)
