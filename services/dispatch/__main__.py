"""`python -m services.dispatch` runs dispatch as a process."""

import eventlet

eventlet.monkey_patch()

from services.dispatch.service import Dispatch  # noqa: E402 (the standard library is patched first)
from wangge.chassis.runner import main  # noqa: E402
from wangge.contracts.events import REGISTRY  # noqa: E402

if __name__ == "__main__":
    main(Dispatch, REGISTRY)
