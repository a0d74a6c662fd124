"""A fact that somebody waits for makes the relay publish at once; one that nobody waits for goes with the next round."""

import pytest
from kit.probe.contracts import ThingDone

from wangge.chassis import schema
from wangge.chassis.clock import WallClock
from wangge.chassis.database import Database
from wangge.chassis.settings import Settings
from wangge.contracts.registry import EventType, Registry

THING = {"key": "k1", "number": 1, "area": "140802"}
REGISTRY = Registry(
    [
        EventType("thing.done.v1", "probe", ThingDone, subject="key"),
        EventType("thing.noted.v1", "probe", ThingDone, subject="key", is_urgent=False),
    ]
)


@pytest.fixture
def database(database_uri, monkeypatch):
    monkeypatch.setenv("WANGGE_DATABASE_URI", database_uri)
    made = Database(Settings.from_environment("probe"), WallClock(), REGISTRY)
    schema.migrate(made.engine, {})
    yield made
    made.close()


@pytest.mark.parametrize(
    ("told", "times"),
    [(["thing.noted.v1"], 0), (["thing.done.v1"], 1), (["thing.noted.v1", "thing.done.v1"], 1), ([], 0)],
)
def test_the_relay_is_woken_by_what_is_urgent(database, told, times):
    woken = []
    database.on_recorded(lambda: woken.append(True))
    with database.begin() as tx:
        for event_type in told:
            tx.record(event_type, THING)
        assert woken == []
    assert len(woken) == times
