"""The published language: every event type, its owner, its data, and who listens."""

from wangge.contracts.events import dispatch, external, intake, notify, points
from wangge.contracts.events.subscriptions import SUBSCRIPTIONS, subscribers
from wangge.contracts.registry import EventType, Registry

REGISTRY = Registry(
    [*external.EVENTS, *intake.EVENTS, *dispatch.EVENTS, *points.EVENTS, *notify.EVENTS],
)

__all__ = ["REGISTRY", "SUBSCRIPTIONS", "EventType", "Registry", "subscribers"]
