"""Drives the hand-overs of cells: switches the bindings, waits, sends the marks, releases what was held back.

Any process of the service takes the next step, one at a time, from what the register says; a step that a crash cut off
is taken again and changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import amqp
from sqlalchemy import func, literal_column, select, text, update

from wangge.chassis import topology, transit
from wangge.chassis.cells import CELLS_LOCK, Cell, Cells, CellState
from wangge.chassis.database import Database
from wangge.chassis.logging import get_logger
from wangge.chassis.tables import cell as cells
from wangge.chassis.topology import Topology
from wangge.chassis.transaction import Transaction

log = get_logger(__name__)

#: Seconds after which a mark that has not come through is sent again.
AGAIN_SECONDS = 60.0

#: Seconds to wait for the confirm of a mark.
CONFIRM_SECONDS = 10.0

MOVING = (CellState.OPENING, CellState.CLOSING)


class HandOver:
    """Takes the next step of each hand-over of one service.

    `settle_seconds`: how long a message may be on its way by the old bindings. A relay has its confirm within
    `relay.CONFIRM_SECONDS` or publishes again by the new ones, so it must be longer than that.
    """

    def __init__(
        self,
        database: Database,
        service: str,
        channel: Callable[[], AbstractContextManager[amqp.Channel]],
        settle_seconds: float,
    ) -> None:
        self._database = database
        self._service = service
        self._channel = channel
        self._settle = settle_seconds
        self._register = Cells(service)

    def advance(self) -> int:
        """Take every step of every hand-over that can be taken now; answers how many.

        Raises `OSError`, `amqp.AMQPError` or what the driver raises; then the step is taken at the next call.
        """
        with self._database.begin() as tx:
            moving = [each.name for each in self._register.all(tx) if each.state in MOVING]
        taken = 0
        for name in moving:
            while self._advance(name):
                taken += 1
        return taken

    def restore(self, name: str) -> None:
        """Bind the areas of a cell that has them, should the broker have lost them. Raises as `advance`."""
        with self._database.begin() as tx:
            cell = self._register.find(tx, name)
            if cell.state in (CellState.OPENING, CellState.OPEN) and cell.switched_at is not None:
                with self._channel() as channel:
                    names = Topology(self._service, cell.name, cell.lanes)
                    topology.declare_cell(channel, names)
                    topology.bind(channel, names, cell.areas)

    def _advance(self, name: str) -> bool:
        with self._database.begin() as tx:
            if not tx.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": CELLS_LOCK}).scalar():
                return False
            due = self._due(tx, name)
            return due is not None and self._step(tx, due)

    def _due(self, tx: Transaction, name: str) -> Any:
        """The cell with whether its marks are to be sent now."""
        settled = cells.c.switched_at < _ago(self._settle)
        unsent = cells.c.marked_at.is_(None) | (cells.c.marked_at < _ago(AGAIN_SECONDS))
        row = select(cells.c.name, (settled & unsent).label("is_due")).where(
            cells.c.name == name, cells.c.state.in_(MOVING)
        )
        found = tx.execute(row).first()
        return found and (self._register.find(tx, name), bool(found.is_due))

    def _step(self, tx: Transaction, due: tuple[Cell, bool]) -> bool:
        cell, is_due = due
        if cell.switched_at is None:
            self._switch(cell)
            self._note(tx, cell, switched_at=func.clock_timestamp())
        elif cell.awaiting == ():
            self._end(tx, cell)
        elif cell.awaiting and is_due:
            self._send_marks(cell)
            self._note(tx, cell, marked_at=func.clock_timestamp())
        else:
            return False
        return True

    def _switch(self, cell: Cell) -> None:
        names = Topology(self._service, cell.name, cell.lanes)
        with self._channel() as channel:
            if cell.state is CellState.OPENING:
                topology.declare_cell(channel, names)
                topology.bind(channel, names, cell.areas)
            else:
                topology.unbind(channel, names, cell.areas)
        log.info("areas switched", of=cell.name, state=cell.state, areas=cell.areas)

    def _send_marks(self, cell: Cell) -> None:
        with self._channel() as channel:
            for queue in cell.awaiting or ():
                headers = {transit.MARK: cell.mark}
                message = amqp.Message(b"", delivery_mode=2, application_headers=headers)
                channel.basic_publish_confirm(
                    message, f"{self._service}.marks", queue, mandatory=True, confirm_timeout=CONFIRM_SECONDS
                )
        log.info("marks sent", of=cell.name, queues=cell.awaiting)

    def _end(self, tx: Transaction, cell: Cell) -> None:
        state = CellState.OPEN if cell.state is CellState.OPENING else CellState.EMPTY
        transit.end(tx)
        self._note(tx, cell, state=state)
        released = transit.release(tx, cell.name)
        log.info("hand-over ended", of=cell.name, state=state, held_back=released)

    def _note(self, tx: Transaction, cell: Cell, **values: Any) -> None:
        tx.execute(
            update(cells).where(cells.c.name == cell.name).values(changed_at=func.clock_timestamp(), **values)
        )


def _ago(seconds: float) -> Any:
    return func.clock_timestamp() - literal_column(f"interval '{seconds:.3f} seconds'")
