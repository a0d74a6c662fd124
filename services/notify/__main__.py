"""`python -m services.notify`: migrates, declares, serves, and drains on SIGTERM."""

import eventlet

eventlet.monkey_patch()

from services.notify import resolving  # noqa: E402 (sockets must be green before anything opens one)
from services.notify.service import Notify  # noqa: E402
from wangge.chassis.runner import main  # noqa: E402
from wangge.contracts.events import REGISTRY  # noqa: E402

resolving.install()
main(Notify, REGISTRY)
