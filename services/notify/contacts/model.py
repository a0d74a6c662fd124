"""Decides where somebody is reached, and how much of an address may be shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Channel(StrEnum):
    """A way to reach somebody."""

    INBOX = "inbox"
    WEBHOOK = "webhook"
    MAIL = "mail"
    PHONE = "phone"  # kept where a reporter left it; no message goes there


OUTSIDE = (Channel.WEBHOOK, Channel.MAIL)
"""The channels that need an address; everybody has the inbox without one."""

SHARED = "shared"
"""The origin of an address that the person left themselves; else it is `site:<site>`."""


@dataclass(frozen=True, slots=True)
class Address:
    """One address of somebody (P2: never logged, never on the bus, never in a list). `secret` signs webhooks."""

    channel: Channel
    address: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)
    origin: str = SHARED

    @property
    def masked(self) -> str:
        """The address as it may be shown."""
        return mask(self.channel, self.address)


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody, and how they can be reached."""

    ref: str
    addresses: tuple[Address, ...]


def preferred(addresses: Iterable[Address]) -> Address | None:
    """The one to use of several of one channel: what the site says stands above what somebody left with a report."""
    return min(addresses, key=lambda each: (each.origin == SHARED, each.origin), default=None)


def mask(channel: Channel, address: str) -> str:
    """`138****1234`, `a***@b.cn`, `https://host/…`: enough to recognise one's own, too little to use it."""
    match channel:
        case Channel.PHONE:
            return f"{address[:3]}****{address[-4:]}" if len(address) >= 11 else "****"
        case Channel.MAIL:
            name, at, host = address.rpartition("@")
            return f"{name[:1]}***{at}{host}"
        case Channel.WEBHOOK:
            scheme, _, rest = address.partition("://")
            host = rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
            return f"{scheme}://{host}/…"
        case Channel.INBOX:
            return ""
