"""Reads from the environment what notify needs beside the chassis's settings, once, into a frozen object.

Any variable may be given as `<NAME>_FILE`, the path of a file that holds the value.
"""

from __future__ import annotations

from dataclasses import dataclass

from environs import FileAwareEnv

#: Part of the lease after which a delivery is cut off, so that its outcome is noted before another try begins.
CUT_OFF = 2 / 3


@dataclass(frozen=True, slots=True)
class NotifySettings:
    """How messages leave the house. Durations are seconds."""

    smtp_uri: str
    """`smtp://user:password@host:port`; `smtps://` for TLS from the first byte; empty: there is no mail."""
    mail_from: str
    deliveries: int
    """Deliveries under way at once."""
    deliveries_each: int
    """Deliveries under way at once to one recipient, so that a slow one leaves room for the others."""
    lease_seconds: float
    """How long a delivery without an outcome is waited for, before it is tried again."""
    look_seconds: float
    """Between looks for messages that are due again or were queued by another process; a new one wakes its own."""

    @property
    def cut_off_seconds(self) -> float:
        """How long one delivery may take in all."""
        return self.lease_seconds * CUT_OFF

    @classmethod
    def from_environment(cls) -> NotifySettings:
        """The settings. Raises `environs.EnvError` naming the variable that is wrong."""
        env = FileAwareEnv(prefix="WANGGE_")
        return cls(
            smtp_uri=env.str("SMTP_URI", ""),
            mail_from=env.str("MAIL_FROM", "wangge@localhost"),
            deliveries=env.int("DELIVERIES", 16),
            deliveries_each=env.int("DELIVERIES_EACH", 4),
            lease_seconds=env.float("DELIVERY_LEASE_SECONDS", 30.0),
            look_seconds=env.float("DELIVERY_LOOK_SECONDS", 0.25),
        )
