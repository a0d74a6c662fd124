from wangge.chassis.delivery import Delivery
from wangge.chassis.topology import Topology
from wangge.chassis.transit import GIVEN_BACK, MARK, Transit

HOME = Transit(Topology("intake"))


def arrives(exchange, **headers):
    return Delivery(
        b"{}", exchange=exchange, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def test_marks_are_told_from_events():
    event, mark = arrives("incidents"), arrives("intake.marks", **{MARK: "1"})
    assert HOME.sort([event, mark]) == ([event], [mark])


def test_what_was_moved_home_counts_as_come_from_where_it_was_published():
    (moved,), _ = HOME.sort([arrives("intake.home", **{GIVEN_BACK: "incidents"})])
    assert moved.exchange == "incidents"
    assert GIVEN_BACK in moved.headers


def test_a_publisher_cannot_say_that_its_message_was_moved_home():
    (forged,), _ = HOME.sort([arrives("incidents", **{GIVEN_BACK: "dispatch.events", "other": 1})])
    assert (forged.exchange, forged.headers) == ("incidents", {"other": 1})
