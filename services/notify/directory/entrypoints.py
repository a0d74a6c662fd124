"""Hears intake's facts about units, grids, people and roles."""

from __future__ import annotations

from services.notify.directory import store
from services.notify.directory.schemas import grid_of, person_of, role_of, unit_of
from wangge.chassis.service import on
from wangge.chassis.transaction import Transaction
from wangge.contracts.envelope import Event


class DirectoryEntrypoints:
    """Keeps the copy of the directory.

    Each fact is kept unless a newer one (by `sequence`) is known, so they may come twice and out of order.
    """

    @on("unit.changed.v1")
    def on_unit_changed(self, tx: Transaction, event: Event) -> None:
        """Keep the unit. Idempotency key: unit and sequence."""
        store.keep(tx, store.units, unit_of(event.data), event.sequence)

    @on("grid.changed.v1")
    def on_grid_changed(self, tx: Transaction, event: Event) -> None:
        """Keep the grid. Idempotency key: area and sequence."""
        store.keep(tx, store.grids, grid_of(event.data), event.sequence)

    @on("person.changed.v1")
    def on_person_changed(self, tx: Transaction, event: Event) -> None:
        """Keep the person's unit. Idempotency key: person and sequence."""
        store.keep(tx, store.people, person_of(event.data), event.sequence)

    @on("role.changed.v1")
    def on_role_changed(self, tx: Transaction, event: Event) -> None:
        """Keep the role. Idempotency key: person, role, area, unit and sequence."""
        store.keep(tx, store.roles, role_of(event.data), event.sequence)
