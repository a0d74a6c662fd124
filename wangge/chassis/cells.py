"""The register of a service's cells: who serves which areas, and where each hand-over of areas stands.

    opening ──marks passed home──> open ──close──> closing ──marks passed the cell──> empty ──remove──> (gone)
       ^                                                                                │
       └────────────────────────────────open again──────────────────────────────────────┘

Guarantee: no area is claimed by two cells of this database. Limit: a cell with a database of its own is known here
only if an operator opened it (`wangge cell open`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from wangge.chassis.errors import Conflict, NotFound, Refusal
from wangge.chassis.ids import new_id
from wangge.chassis.tables import cell as cells
from wangge.chassis.topology import HOME, Topology
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import overlapping

#: Any number: serialises what changes the register of one database.
CELLS_LOCK = 7_203_003


class CellState(StrEnum):
    """Where a cell stands."""

    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its areas (codes), its lanes, and how far its hand-over has come.

    `awaiting` names the queues through which the mark `mark` has still to pass; None where an operator must say that
    they are empty, because what serves them does not share this database. `is_shared`: one of our processes serves it.
    """

    name: str
    areas: tuple[str, ...]
    lanes: int
    state: CellState = CellState.OPEN
    is_shared: bool = False
    mark: str | None = None
    awaiting: tuple[str, ...] | None = ()
    switched_at: datetime | None = None
    marked_at: datetime | None = None

    def queues(self, service: str) -> tuple[str, ...]:
        """Its queues on the broker."""
        return tuple(Topology(service, self.name, self.lanes).queues)


class Cells:
    """The register of one service, as one of its processes works with it."""

    def __init__(self, service: str) -> None:
        self._service = service

    def join(self, tx: Transaction, cell: Cell) -> None:
        """A process of `cell` starts: register it, which opens a cell that was not open.

        Raises `Conflict` saying what to do where the cell is closing, has other lanes or areas, or claims what another
        cell serves.
        """
        known = {each.name: each for each in self._locked(tx)}
        mine = known.get(cell.name)
        if mine is None or mine.state is CellState.EMPTY:
            if cell.name == HOME:
                self._write(tx, cell, is_shared=True)
            else:
                self._begin_opening(tx, cell, known, is_shared=True)
            return
        if mine.state is CellState.CLOSING:
            raise _is_closing(cell.name)
        if mine.lanes != cell.lanes:
            raise _other_lanes(mine, cell.lanes)
        if set(mine.areas) != set(cell.areas):
            raise _other_areas(mine)
        tx.execute(update(cells).where(cells.c.name == cell.name).values(is_shared=True))

    def open(self, tx: Transaction, cell: Cell) -> Cell:
        """An operator opens a cell before any process of it runs; again changes nothing. Raises `Conflict`."""
        known = {each.name: each for each in self._locked(tx)}
        mine = known.get(cell.name)
        if cell.name == HOME:
            raise Conflict(
                "cell.home", "home 始终开放，请换一个片区名", "home is always open: name another cell"
            )
        if mine is None or mine.state is CellState.EMPTY:
            return self._begin_opening(tx, cell, known, is_shared=False)
        if mine.state is CellState.CLOSING:
            raise _is_closing(cell.name)
        if (set(mine.areas), mine.lanes) != (set(cell.areas), cell.lanes):
            raise _other_areas(mine) if mine.lanes == cell.lanes else _other_lanes(mine, cell.lanes)
        return mine

    def close(self, tx: Transaction, name: str) -> Cell:
        """Begin to give a cell's areas back; again changes nothing. Raises `NotFound`, `Conflict`."""
        mine = self._known(tx, name)
        if name == HOME:
            raise Conflict(
                "cell.home",
                "home 承接其他片区未认领的区域，不能关闭；请关闭其他片区，或停止它的进程",
                "home cannot be closed: it takes what no other cell serves; close the other cells, or stop its processes",
            )
        if mine.state is CellState.OPENING:
            raise Conflict(
                "cell.opening",
                f"片区 {name} 正在开放，home 还有消息要处理：待 `wangge cell list` 显示 open 后再关闭",
                f"{name} is still being opened, home has lanes to work off: wait until `wangge cell list` says open",
            )
        if mine.state is CellState.OPEN:
            awaiting = mine.queues(self._service) if mine.is_shared else None
            self._move(tx, name, CellState.CLOSING, awaiting)
        return self.find(tx, name)

    def emptied(self, tx: Transaction, name: str) -> Cell:
        """The closing cell's queues were seen empty: what was moved home is settled before what came there since.

        Raises `NotFound`, `Conflict` for a cell that is not closing.
        """
        mine = self._known(tx, name)
        if mine.state is not CellState.CLOSING:
            raise Conflict(
                "cell.not_closing", f"片区 {name} 不在关闭中", f"{name} is {mine.state}, not closing"
            )
        home = self.find(tx, HOME)
        self._write_columns(
            tx, name, awaiting=list(home.queues(self._service)), mark=new_id(), marked_at=None
        )
        return self.find(tx, name)

    def removable(self, tx: Transaction, name: str) -> Cell:
        """The cell, if all it had was handed over. Raises `NotFound`, `Conflict`."""
        mine = self._known(tx, name)
        if mine.state is not CellState.EMPTY:
            raise Conflict(
                "cell.not_empty",
                f"片区 {name} 尚未交接完毕：先执行 `wangge cell close {self._service} {name}`",
                f"{name} is {mine.state}: `wangge cell close {self._service} {name}` hands its areas over first",
            )
        return mine

    def forget(self, tx: Transaction, name: str) -> None:
        """Strike a removed cell off the register."""
        tx.execute(delete(cells).where(cells.c.name == name))

    def all(self, tx: Transaction) -> list[Cell]:
        """All cells, home first."""
        rows = tx.execute(select(cells).order_by(cells.c.name != HOME, cells.c.name)).mappings()
        return [_cell(row) for row in rows]

    def find(self, tx: Transaction, name: str) -> Cell:
        """One cell. Raises `NotFound` naming those that there are."""
        found = self.all(tx)
        for each in found:
            if each.name == name:
                return each
        there = ", ".join(each.name for each in found) or "none"
        raise NotFound(
            "cell.not_found",
            f"没有片区 {name}，现有：{there}",
            f"{self._service} has no cell {name}; there are: {there}",
        )

    def _known(self, tx: Transaction, name: str) -> Cell:
        self._locked(tx)
        return self.find(tx, name)

    def _locked(self, tx: Transaction) -> list[Cell]:
        tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CELLS_LOCK})
        return self.all(tx)

    def _begin_opening(self, tx: Transaction, cell: Cell, known: dict[str, Cell], *, is_shared: bool) -> Cell:
        for other in known.values():
            if other.name != cell.name and other.state is not CellState.EMPTY:
                taken = overlapping(cell.areas, other.areas)
                if taken:
                    raise _is_taken(self._service, cell.name, other, taken)
        self._write(tx, cell, is_shared=is_shared)
        home = known.get(HOME)
        self._move(tx, cell.name, CellState.OPENING, home.queues(self._service) if home else ())
        return self.find(tx, cell.name)

    def _write(self, tx: Transaction, cell: Cell, *, is_shared: bool) -> None:
        row = {
            "name": cell.name,
            "areas": list(cell.areas),
            "lanes": cell.lanes,
            "state": cell.state,
            "is_shared": is_shared,
            "awaiting": [],
        }
        statement = insert(cells).values(row)
        tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))

    def _move(self, tx: Transaction, name: str, state: CellState, awaiting: Sequence[str] | None) -> None:
        self._write_columns(
            tx,
            name,
            state=state,
            mark=new_id(),
            awaiting=None if awaiting is None else list(awaiting),
            switched_at=None,
            marked_at=None,
        )

    def _write_columns(self, tx: Transaction, name: str, **values: Any) -> None:
        changed = update(cells).where(cells.c.name == name)
        tx.execute(changed.values(changed_at=func.clock_timestamp(), **values))


def _cell(row: Any) -> Cell:
    awaiting = row["awaiting"]
    return Cell(
        name=row["name"],
        areas=tuple(row["areas"]),
        lanes=row["lanes"],
        state=CellState(row["state"]),
        is_shared=row["is_shared"],
        mark=row["mark"],
        awaiting=None if awaiting is None else tuple(awaiting),
        switched_at=row["switched_at"],
        marked_at=row["marked_at"],
    )


def _is_closing(name: str) -> Refusal:
    return Conflict(
        "cell.closing",
        f"片区 {name} 正在关闭：待 `wangge cell close` 完成后再开放",
        f"{name} is being closed: let `wangge cell close` finish, then open it again",
    )


def _other_lanes(cell: Cell, lanes: int) -> Refusal:
    return Conflict(
        "cell.other_lanes",
        f"片区 {cell.name} 有 {cell.lanes} 条通道，通道数不能改变：请保持原数，或换一个片区名",
        f"{cell.name} has {cell.lanes} lanes, not {lanes}: the number never changes, or a case would be in two queues; "
        f"give WANGGE_LANES={cell.lanes}, or open a cell of another name",
    )


def _other_areas(cell: Cell) -> Refusal:
    served = ", ".join(cell.areas)
    return Conflict(
        "cell.other_areas",
        f"片区 {cell.name} 服务的区域是 {served}：请按此启动，或先关闭再以新区域开放",
        f"{cell.name} serves {served}: start it with these areas, or close it and open it with others",
    )


def _is_taken(service: str, name: str, other: Cell, taken: list[tuple[str, str]]) -> Refusal:
    areas = ", ".join(own if own == others else f"{own} (as {others})" for own, others in taken)
    return Conflict(
        "cell.area_taken",
        f"区域 {areas} 已由片区 {other.name} 服务：先执行 `wangge cell close {service} {other.name}` 交还",
        f"{areas}: served by the cell {other.name}, so {name} cannot serve it; "
        f"`wangge cell close {service} {other.name}` gives it back first",
    )
