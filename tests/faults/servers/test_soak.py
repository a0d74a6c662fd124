"""Faults of every kind at random while incidents flow and people act."""

import os
import random

import pytest
from kit.soak import Soak, command, schedule

pytestmark = pytest.mark.timeout(900)  # seconds; a busy machine restarts servers slowly

#: A seed whose first 42 seconds strike services, broker, database and publishers.
SEED = 2773


@pytest.mark.fault(24)
@pytest.mark.parametrize(
    ("seed", "minutes"),
    [
        (SEED, 0.7),
        pytest.param(
            int(os.environ.get("WANGGE_SOAK_SEED", random.SystemRandom().randrange(10_000))),
            float(os.environ.get("WANGGE_SOAK_MINUTES", "3")),
            marks=pytest.mark.long,
        ),
    ],
    ids=["short", "long"],
)
def test_a_soak_of_random_faults_loses_and_doubles_nothing(trial, proxied, seed, minutes):
    """A seeded schedule of kills, restarts, pauses, lost servers, spoiled networks, duplicates and poison."""
    print(f"replay it: {command(seed, minutes)}")
    Soak(proxied, trial, print).run(schedule(seed, minutes))
