import wangge.chassis.green  # noqa: F401

# isort: split

from probe.contracts import REGISTRY
from probe.service import Probe

from wangge.chassis.runner import main

main(Probe, REGISTRY)
