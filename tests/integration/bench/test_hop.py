"""The durable hop is still played: few messages, ours and the hand-written loop, every effect checked."""

from collections.abc import Iterator

import pytest

from bench.hop import place, rounds
from bench.hop.implementations import IMPLEMENTATIONS
from bench.hop.messages import incident
from wangge.cli.local import LocalSystem

FEW = 120


@pytest.fixture(scope="module")
def stage(servers: LocalSystem) -> Iterator[LocalSystem]:
    place.prepare(servers)
    yield servers
    servers.postgres.drop_database(place.TEMPLATE)


@pytest.mark.parametrize(("name", "processes"), [("ours", 1), ("ours", 2), ("loop", 1)])
def test_round_leaves_one_of_each_effect(stage, name, processes):
    played = rounds.play(stage, IMPLEMENTATIONS[name], processes, [incident(each) for each in range(FEW)])
    assert played.messages == FEW
    assert played.seconds > 0


def test_round_whose_messages_were_not_processed_does_not_count(stage):
    events = [incident(each) for each in range(3)]
    unplayed = place.Place(stage, 1)
    unplayed.fill(events, map(IMPLEMENTATIONS["ours"].word, events))
    with pytest.raises(rounds.WrongEffects, match=r"not \(3, 3, 3, 6, 3, 0, 0\)"):
        rounds.check(unplayed, events)
    unplayed.remove()
