"""The hop as a service of Wangge."""

from bench.hop.ours import store
from bench.hop.work import FACT, decide
from wangge.chassis.service import Service, on
from wangge.chassis.transaction import Transaction
from wangge.contracts.envelope import Event


class Hop(Service):
    """Takes incidents, keeps them as reports, tells that they were accepted."""

    name = "hop"

    @on("incident.reported.v1")
    def on_incident_reported(self, tx: Transaction, event: Event) -> None:
        """Keep the incident as a report and tell of it. Idempotency key: the event's id."""
        decided = decide(event.data, tx.now)
        store.add(tx, decided)
        tx.record(FACT, decided.fact)
