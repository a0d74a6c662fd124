import eventlet

eventlet.monkey_patch()

from probe.contracts import REGISTRY  # noqa: E402 (the sockets must be green before anything opens one)
from probe.service import Probe  # noqa: E402
from wangge.chassis.runner import main  # noqa: E402

main(Probe, REGISTRY)
