"""北格镇 runs a notify of its own from our release: one setting more, and its traffic is its own."""

import pytest
import requests
from kit.foreign import wangge
from kit.waiting import eventually

STREET = "14.01.05.100"
CELL = {"WANGGE_CELL": "zhen", "WANGGE_AREAS": STREET, "WANGGE_LANES": "2"}


def told_by(system, instance):
    """How many dispatched cases this process has told of."""
    address = next(
        each for each in system.addresses.services if (each.name, each.instance) == ("notify", instance)
    )
    lines = requests.get(f"{address.health_url}/metrics", timeout=10).text.splitlines()
    counted = 'wangge_events_total{result="done",type="case.dispatched.v1"}'
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(counted))


def an_incident(town, login, number):
    event = town.incident(
        login, text="路口电线垂落", channel="hotline_12345", category="E0508", external_no=f"own-{number}"
    )
    town.publish(login, event)
    case = town.case_of(town.receipt(login, event["id"])["report_code"], "dispatched")
    return eventually(lambda: town.messages(correlation=case["case_no"]), 60)


@pytest.mark.timeout(600)
def test_a_street_starts_a_cell_and_its_traffic_goes_to_it_alone(system, hexixijie, liangjiazhuang):
    # Given the street's own process, started with its areas and nothing else
    system.start_service("notify", CELL, instance="zhen")
    try:
        eventually(lambda: " open " in state(system), 90)
        home, cell = told_by(system, "1"), told_by(system, "zhen")

        # When something happens there, then its process tells it, and home's does not
        an_incident(liangjiazhuang, "lj-hotline", 1)
        eventually(lambda: (told_by(system, "1"), told_by(system, "zhen")) == (home, cell + 1))

        # When something happens elsewhere, it is the other way round
        an_incident(hexixijie, "hotline12345", 2)
        eventually(lambda: (told_by(system, "1"), told_by(system, "zhen")) == (home + 1, cell + 1))

        # When the street gives its areas back, then home tells again
        closed = wangge(system, "cell", "close", "notify", "zhen")
        assert closed.exit_code == 0, closed.output + str(closed.exception)
        an_incident(liangjiazhuang, "lj-hotline", 3)
        eventually(lambda: (told_by(system, "1"), told_by(system, "zhen")) == (home + 2, cell + 1))
    finally:
        system.stop_service("notify", "zhen")
    assert "are removed" in eventually(lambda: wangge(system, "cell", "close", "notify", "zhen").output, 30)
    assert "zhen" not in state(system)


def state(system):
    """Its line of `wangge cell list`, where it has one."""
    lines = wangge(system, "cell", "list", "--service", "notify").output.splitlines()
    return next((line for line in lines if " zhen " in line), "")
