"""Whom the selectors of a route mean."""

import pytest

from services.notify.directory.model import Holders, Spokespeople
from services.notify.routes.model import Route, allot, questions, wanted

GRID = "14080200290100300"
ABOVE = ("140802002901", "140802002", "140802", "1408", "14")


@pytest.mark.parametrize(
    ("selector", "data", "meant"),
    [
        ("lead", {"lead": "power"}, [Spokespeople("power")]),
        ("lead", {"unit": "power"}, [Spokespeople("power")]),
        ("lead", {"lead": "power", "unit": "other"}, [Spokespeople("power")]),
        ("lead", {}, []),
        ("assist", {"assist": ["a", "b"]}, [Spokespeople("a"), Spokespeople("b")]),
        ("assist", {}, []),
        ("reporters", {"reporters": ["person:p", "publisher:h"]}, ["person:p", "publisher:h"]),
        ("reporters", {"reporter": {"ref": "resident:r", "wants_reply": True}}, ["resident:r"]),
        ("reporters", {"reporter": {"ref": "resident:r", "wants_reply": False}}, []),
        ("reporters", {}, []),
        ("publisher", {"reporters": ["person:p", "publisher:h"]}, ["publisher:h"]),
        ("publisher", {"reporter": {"ref": "publisher:h", "wants_reply": True}}, ["publisher:h"]),
        (
            "helpers",
            {"helpers": [{"person_id": name, "part": name} for name in ("reporter", "handler", "helper")]},
            ["person:handler", "person:helper"],
        ),
        ("helpers", {"person_id": "member"}, ["person:member"]),
        ("role:grid_leader@grid", {"area": GRID}, [Holders("grid_leader", (GRID, *ABOVE))]),
        ("role:auditor@community", {"area": GRID}, [Holders("auditor", ABOVE)]),
        ("role:auditor@community", {"area": "140802"}, [Holders("auditor", ("140802", "1408", "14"))]),
        (
            "role:grid_leader@grid",
            {"area": f"{GRID[:15]}07"},
            [Holders("grid_leader", (f"{GRID[:15]}07", GRID, *ABOVE))],
        ),
    ],
)
def test_selector_means(selector, data, meant):
    assert wanted(selector, data) == meant


@pytest.mark.parametrize("selector", ["everybody", "role:@grid", "role:x@street", "role:x"])
def test_unknown_selector_is_an_error(selector):
    with pytest.raises(ValueError, match="no selector"):
        wanted(selector, {"area": GRID})


def test_each_question_is_asked_once():
    power = Spokespeople("power")
    assert questions(["person:a", power, "person:b", power]) == [power]


def test_who_is_meant_twice_is_told_by_the_first_route():
    orders = Route("case.dispatched", "order", ("lead", "assist"), is_urgent=True)
    notices = Route("case.dispatched", "notice", ("role:grid_leader@grid",), is_urgent=False)
    data = {"lead": "power", "assist": ["estate"], "area": GRID}
    answers = {
        Spokespeople("power"): ("person:a", "person:b"),
        Spokespeople("estate"): ("person:b",),
        Holders("grid_leader", (GRID, *ABOVE)): ("person:b", "person:c"),
    }
    assert allot([orders, notices], data, answers) == {
        "person:a": orders,
        "person:b": orders,
        "person:c": notices,
    }
