"""`python -m services.points`: runs the service; `migrate` only prepares its database and broker."""

import wangge.chassis.green  # noqa: F401 (first: it makes sockets green)

# isort: split

from services.points.service import Points
from wangge.chassis.runner import main
from wangge.contracts.events import REGISTRY

main(Points, REGISTRY)
