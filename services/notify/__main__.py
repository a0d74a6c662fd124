"""`python -m services.notify`: migrates, declares, serves, and drains on SIGTERM."""

import wangge.chassis.green  # noqa: F401 (first: it makes sockets green)

# isort: split

from services.notify import resolving
from services.notify.service import Notify
from wangge.chassis.runner import main
from wangge.contracts.events import REGISTRY

resolving.install()
main(Notify, REGISTRY)
