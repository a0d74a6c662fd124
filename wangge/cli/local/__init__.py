"""Runs a whole Wangge on one machine: private servers and the service processes, under one directory."""

from wangge.cli.local.addresses import DEFAULT_DIRECTORY, Addresses, ServerAddress, ServiceAddress
from wangge.cli.local.services import SERVICES, usual_ports
from wangge.cli.local.system import LocalSystem

__all__ = [
    "DEFAULT_DIRECTORY",
    "SERVICES",
    "Addresses",
    "LocalSystem",
    "ServerAddress",
    "ServiceAddress",
    "usual_ports",
]
