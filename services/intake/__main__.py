"""Runs intake: `python -m services.intake`."""

import wangge.chassis.green  # noqa: F401 (first: it makes sockets green)

# isort: split

from services.intake.service import Intake
from wangge.chassis.runner import main
from wangge.contracts.events import REGISTRY

if __name__ == "__main__":
    main(Intake, REGISTRY)
