"""`python -m bench.hop.ours`: runs the hop as a service; `migrate` only prepares its database and broker."""

import wangge.chassis.green  # noqa: F401 (first: it makes sockets green)

# isort: split

from bench.hop.ours.service import Hop
from wangge.chassis.runner import main
from wangge.contracts.events import REGISTRY

main(Hop, REGISTRY)
