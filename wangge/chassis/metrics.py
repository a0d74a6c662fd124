"""Counts what the chassis does, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prometheus_client import Counter, Gauge, Histogram, Info

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

EVENTS = Counter("wangge_events", "Events settled, by type and result", ["type", "result"])
HANDLER = Histogram("wangge_handler_seconds", "Seconds a handler took", ["type"], buckets=SECONDS)
QUARANTINED = Counter("wangge_quarantined", "Events put into quarantine, by code", ["code"])
HELD_ENDED = Counter("wangge_held_ended", "Held events that ended, by state", ["state"])
PUBLISHED = Counter("wangge_published", "Events published and confirmed", ["routed"])
PUBLISH_FAILED = Counter("wangge_publish_failed", "Publishing rounds that failed", ["cause"])
OUTBOX_PENDING = Gauge("wangge_outbox_pending", "Recorded events not yet published")
OUTBOX_AGE = Gauge("wangge_outbox_oldest_seconds", "Age of the oldest event not yet published")
HELD = Gauge("wangge_held", "Held events, by state", ["state"])
REQUESTS = Counter("wangge_http_requests", "HTTP requests, by route and status", ["route", "status"])
REQUEST = Histogram("wangge_http_seconds", "Seconds an HTTP request took", ["route"], buckets=SECONDS)
SWEPT = Gauge("wangge_swept_timestamp_seconds", "When a sweep last ended well, by sweep", ["sweep"])
CELL = Info("wangge_cell", "The cell that this process serves, with its areas")
CONSUMING = Gauge("wangge_consuming", "1 while connected to the broker and consuming")


def events(messages: Iterable[Any], result: str) -> None:
    """Count settled messages."""
    for message in messages:
        EVENTS.labels(message.event.type, result).inc()


def handled(event_type: str, seconds: float) -> None:
    """Time one handler."""
    HANDLER.labels(event_type).observe(seconds)


def quarantined(code: str) -> None:
    """Count a quarantined event."""
    QUARANTINED.labels(code).inc()


def held_ended(state: str) -> None:
    """Count a held event that ended."""
    HELD_ENDED.labels(state).inc()


def published(routed: int, unrouted: int) -> None:
    """Count confirmed events."""
    PUBLISHED.labels("yes").inc(routed)
    if unrouted:
        PUBLISHED.labels("no").inc(unrouted)


def request(route: str, status: int, seconds: float) -> None:
    """Count and time one HTTP request."""
    REQUESTS.labels(route, str(status)).inc()
    REQUEST.labels(route).observe(seconds)
