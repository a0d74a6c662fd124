"""What each event must bring about, once: the case of a report, the number of a case on its report, the probe's row.

A table: a new kind of effect that a fault could lose is one more line here and one more query in `kit.reading`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kit.records import Told


@dataclass(frozen=True, slots=True)
class Rule:
    """A processed event of `type` leaves in `service` exactly one `what` under `key`, and nothing else does."""

    service: str
    type: str
    what: str
    key: Callable[[Told], str]


def subject(fact: Told) -> str:
    """The aggregate that the fact is about."""
    return fact.subject


def event(fact: Told) -> str:
    """The fact itself."""
    return fact.event_id


RULES = (
    Rule("dispatch", "report.accepted.v1", "case of report", subject),
    Rule("dispatch", "report.accepted.v1", "filing of report", subject),
    Rule("intake", "case.filed.v1", "report with case", subject),
    Rule("probe", "thing.told.v1", "effect", event),
    Rule("probe", "thing.told.v1", "fact of thing", event),
)
