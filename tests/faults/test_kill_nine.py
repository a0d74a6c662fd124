"""Each service is killed (kill -9) while two thousand incidents flow; nothing is lost, nothing doubled."""

import random
import threading
import time
from collections import Counter
from contextlib import suppress

import pytest
from kit.load import carry_to_the_end
from kit.quiescence import nothing_lost_nothing_doubled

from wangge.cli.errors import CommandFailed
from wangge.cli.local import SERVICES

INCIDENTS = 2000
POISON = 20
REPEATED = 100
#: Cases that people carry to their end while services die.
CARRIED = 30

GRIDS = ("14080200290200100", "14080200290200200", "14080200290200300", "14080200290200400")


def the_incidents(town):
    """2,000 incidents of the hotline: some twice under their own number, some broken."""
    chance = random.Random(20251208)
    incidents = [
        town.incident(
            "hotline12345",
            text=f"第 {number} 件：电线垂落",
            channel="hotline_12345",
            category="E0508",
            area=chance.choice(GRIDS),
            external_no=f"KN-{number:05d}",
        )
        for number in range(INCIDENTS - REPEATED)
    ]
    again = [town.incident("hotline12345", **original["data"]) for original in incidents[:REPEATED]]
    return incidents, again


@pytest.mark.fault(1)
@pytest.mark.timeout(600)
def test_every_service_killed_while_two_thousand_incidents_flow_loses_and_doubles_nothing(
    town, fragile, reader, ledger
):
    """kill -9 of each service twice while two thousand incidents flow and people carry cases to their end."""
    incidents, again = the_incidents(town)
    poison = [b'{"specversion": "1.0", "id": "poison-%d"}' % number for number in range(POISON)]
    stream = [*incidents, *again, *poison]
    random.Random(7).shuffle(stream)
    ledger.good(*incidents[REPEATED:])
    for pair in zip(incidents, again, strict=False):
        ledger.same(*pair)
    ledger.poison(*poison)

    published = threading.Thread(target=lambda: publish_slowly(town, stream))
    published.start()
    carried = threading.Thread(target=lambda: carry_some(town))
    carried.start()
    killed = kill_each_service_twice(fragile)
    published.join()
    carried.join()

    nothing_lost_nothing_doubled(reader, ledger)
    assert killed == Counter(dict.fromkeys(SERVICES, 2))
    every_report_has_a_notice_to_its_unit(reader)
    every_closed_case_credits_its_helper_once(reader)


def publish_slowly(town, stream):
    for start in range(0, len(stream), 100):
        town.publish("hotline12345", *stream[start : start + 100])
        time.sleep(1.8)


def carry_some(town):
    seen = set()
    while len(seen) < CARRIED:
        with suppress(CommandFailed):
            for case in town.operator.call("dispatch", "GET", "/v1/cases", state="dispatched", limit=10)[
                "items"
            ]:
                if case["case_no"] not in seen and len(seen) < CARRIED:
                    seen.add(case["case_no"])
                    carry_to_the_end(town, case["case_no"])
        time.sleep(0.2)


def kill_each_service_twice(fragile):
    killed = Counter()
    for service in [*SERVICES, *reversed(list(SERVICES))]:
        time.sleep(1.0)
        fragile.kill_service(service)
        killed[service] += 1
        fragile.start_service(service)
    return killed


def every_report_has_a_notice_to_its_unit(reader):
    (reports,) = reader.rows("intake", "SELECT count(*) AS n FROM reports")
    (told,) = reader.rows(
        "notify", "SELECT count(DISTINCT event_id) AS n FROM messages WHERE template = 'unit.dispatched'"
    )
    assert told == reports == {"n": INCIDENTS - REPEATED}


def every_closed_case_credits_its_helper_once(reader):
    closed = {
        row["case_no"] for row in reader.rows("dispatch", "SELECT case_no FROM cases WHERE state = 'closed'")
    }
    assert len(closed) == CARRIED
    credited = Counter(row["case_no"] for row in reader.rows("points", "SELECT case_no FROM entries"))
    assert credited == Counter(dict.fromkeys(closed, 1))
