"""Runs intake: `python -m services.intake`."""

import eventlet

eventlet.monkey_patch()

from services.intake.service import Intake  # noqa: E402 (the patch comes before everything that opens sockets)
from wangge.chassis.runner import main  # noqa: E402
from wangge.contracts.events import REGISTRY  # noqa: E402

if __name__ == "__main__":
    main(Intake, REGISTRY)
