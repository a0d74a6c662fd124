"""Hears how intake's directory changes."""

from services.dispatch.directory import store
from wangge.chassis.app import App
from wangge.chassis.service import on
from wangge.chassis.transaction import Transaction
from wangge.contracts.envelope import Event


class DirectoryEntrypoints:
    """Keeps copies of units, grids, people and roles.

    Idempotency key of each handler: the entry and its event's sequence, so that a late fact changes nothing.
    """

    app: App

    @on("unit.changed.v1")
    def on_unit_changed(self, tx: Transaction, event: Event) -> None:
        """Note a unit. Idempotency key: unit and sequence."""
        store.note(tx, store.unit, event.data, event.sequence)

    @on("grid.changed.v1")
    def on_grid_changed(self, tx: Transaction, event: Event) -> None:
        """Note a grid. Idempotency key: grid and sequence."""
        store.note(tx, store.grid, event.data, event.sequence)

    @on("person.changed.v1")
    def on_person_changed(self, tx: Transaction, event: Event) -> None:
        """Note a person. Idempotency key: person and sequence."""
        store.note(tx, store.person, event.data, event.sequence)

    @on("role.changed.v1")
    def on_role_changed(self, tx: Transaction, event: Event) -> None:
        """Note a role taken up or given up. Idempotency key: person, role, area, unit and sequence."""
        store.note(tx, store.role, {**event.data, "unit_id": event.data.get("unit_id") or ""}, event.sequence)
