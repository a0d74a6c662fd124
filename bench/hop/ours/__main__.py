"""`python -m bench.hop.ours`: runs the hop as a service; `migrate` only prepares its database and broker."""

import eventlet

eventlet.monkey_patch()

from bench.hop.ours.service import Hop  # noqa: E402 (the sockets must be green before anything opens one)
from wangge.chassis.runner import main  # noqa: E402
from wangge.contracts.events import REGISTRY  # noqa: E402

main(Hop, REGISTRY)
