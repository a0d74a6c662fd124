"""`python -m services.dispatch` runs dispatch as a process."""

import wangge.chassis.green  # noqa: F401 (first: it makes sockets green)

# isort: split

from services.dispatch.service import Dispatch
from wangge.chassis.runner import main
from wangge.contracts.events import REGISTRY

if __name__ == "__main__":
    main(Dispatch, REGISTRY)
