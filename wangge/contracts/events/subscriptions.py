"""Who listens to what: the event types that each service, or whatever stands in for it, must take."""

DIRECTORY = ("unit.changed.v1", "grid.changed.v1", "person.changed.v1", "role.changed.v1")
"""What keeps a copy of intake's directory."""

SUBSCRIPTIONS: dict[str, tuple[str, ...]] = {
    "intake": ("incident.reported.v1", "case.filed.v1", "case.closed.v1", "case.reopened.v1"),
    "dispatch": (*DIRECTORY, "report.accepted.v1", "report.merged.v1"),
    "points": ("case.closed.v1", "case.reopened.v1"),
    "notify": (
        *DIRECTORY,
        "contact.shared.v1",
        "report.accepted.v1",
        "report.rejected.v1",
        "report.merged.v1",
        "case.filed.v1",
        "case.dispatched.v1",
        "case.claimed.v1",
        "case.handled.v1",
        "case.checked.v1",
        "case.closed.v1",
        "case.reopened.v1",
        "case.overdue.v1",
        "points.posted.v1",
        "points.reversed.v1",
    ),
}


def subscribers(event_type: str) -> list[str]:
    """The services that must take events of this type."""
    return [service for service, types in SUBSCRIPTIONS.items() if event_type in types]
