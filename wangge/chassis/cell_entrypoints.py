"""The operators' door to the cells of a service, the same at every service; `wangge cell` speaks through it."""

from __future__ import annotations

from typing import Any

from marshmallow import RAISE, Schema, fields, validate

from wangge.chassis import topology, transit
from wangge.chassis.cells import Cell
from wangge.chassis.errors import Conflict
from wangge.chassis.held_entrypoints import OPERATORS
from wangge.chassis.http import Ask, route
from wangge.chassis.settings import MOST_LANES, read_cell
from wangge.chassis.topology import Topology
from wangge.chassis.transaction import Transaction


class CellBody(Schema):
    """Areas as codes or dotted words, and into how many queues their cases are spread."""

    class Meta:
        unknown = RAISE

    areas = fields.List(fields.String(), required=True, validate=validate.Length(min=1))
    lanes = fields.Integer(load_default=4, validate=validate.Range(1, MOST_LANES))


class CellAnswer(Schema):
    """A cell: what it serves, and what is still to pass before its hand-over ends."""

    name = fields.String()
    state = fields.String()
    areas = fields.List(fields.String())
    lanes = fields.Integer()
    queues = fields.List(fields.String())
    is_shared = fields.Boolean()
    awaiting = fields.List(fields.String(), allow_none=True)
    held_back = fields.Integer()


class CellList(Schema):
    """All cells of the service."""

    items = fields.List(fields.Nested(CellAnswer))


class CellEntrypoints:
    """List, open, close and remove cells. Each act may be repeated: done once is done."""

    app: Any

    @route("GET", "/v1/cells", may=OPERATORS, answer=CellList(), tag="cells")
    def cell_list(self, tx: Transaction, ask: Ask) -> dict[str, Any]:
        """The cells of this service, home first."""
        held_back = transit.counts(tx)
        return {"items": [self._told(cell, held_back) for cell in self.app.cells.all(tx)]}

    @route("PUT", "/v1/cells/<name>", may=OPERATORS, body=CellBody(), answer=CellAnswer(), tag="cells")
    def cell_open(self, tx: Transaction, ask: Ask, name: str) -> dict[str, Any]:
        """Open a cell: its areas' messages go to its queues, once home has worked off what it has of them."""
        areas = read_cell(name, ask.body["areas"], ask.body["lanes"])
        return self._told(self.app.cells.open(tx, Cell(name, areas, ask.body["lanes"])), {})

    @route("POST", "/v1/cells/<name>/close", may=OPERATORS, answer=CellAnswer(), tag="cells")
    def cell_close(self, tx: Transaction, ask: Ask, name: str) -> dict[str, Any]:
        """Give a cell's areas back to home, which holds their messages back until the cell has worked off its own."""
        return self._told(self.app.cells.close(tx, name), {})

    @route("POST", "/v1/cells/<name>/emptied", may=OPERATORS, answer=CellAnswer(), tag="cells")
    def cell_emptied(self, tx: Transaction, ask: Ask, name: str) -> dict[str, Any]:
        """Say that a closing cell's queues were seen empty, where none of our processes can tell."""
        cell = self.app.cells.emptied(tx, name)
        self._require_empty(cell, unattended=cell.is_shared)  # one of ours tells by itself when it is done
        return self._told(cell, {})

    @route("DELETE", "/v1/cells/<name>", may=OPERATORS, answer=CellAnswer(), tag="cells")
    def cell_remove(self, tx: Transaction, ask: Ask, name: str) -> dict[str, Any]:
        """Remove the queues and the exchange of a cell that was handed over and that nobody serves any more."""
        cell = self.app.cells.removable(tx, name)
        self._require_empty(cell, unattended=True)
        with self.app.broker_channel() as channel:
            topology.remove_cell(channel, self._names(cell))
        self.app.cells.forget(tx, name)
        return self._told(cell, {})

    def _require_empty(self, cell: Cell, *, unattended: bool = False) -> None:
        with self.app.broker_channel() as channel:
            waiting, consumers = topology.message_count(channel, self._names(cell))
        if waiting:
            raise Conflict(
                "cell.holds_work",
                f"片区 {cell.name} 还有 {waiting} 条消息：启动它的进程，或用 --give-back 交还",
                f"{cell.name} still holds {waiting} messages: start a process of it, or give them back",
            )
        if unattended and consumers:
            raise Conflict(
                "cell.attended",
                f"片区 {cell.name} 还有 {consumers} 个消费者：先停止它的进程",
                f"{consumers} consumers are still on the queues of {cell.name}: stop its processes first",
            )

    def _names(self, cell: Cell) -> Topology:
        return Topology(self.app.settings.service, cell.name, cell.lanes)

    def _told(self, cell: Cell, held_back: dict[str, int]) -> dict[str, Any]:
        return {
            "name": cell.name,
            "state": cell.state,
            "areas": cell.areas,
            "lanes": cell.lanes,
            "queues": cell.queues(self.app.settings.service),
            "is_shared": cell.is_shared,
            "awaiting": cell.awaiting,
            "held_back": held_back.get(cell.name, 0),
        }
