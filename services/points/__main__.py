"""`python -m services.points`: runs the service; `migrate` only prepares its database and broker."""

import eventlet

eventlet.monkey_patch()

from services.points.service import Points  # noqa: E402 (the patch comes first)
from wangge.chassis.runner import main  # noqa: E402
from wangge.contracts.events import REGISTRY  # noqa: E402

main(Points, REGISTRY)
