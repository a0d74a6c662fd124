"""Remembers reports and their history: what the events of one transaction ask for is written at its end, in one go."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from bench.hop.tables import report_moves, reports
from bench.hop.work import Decided
from wangge.chassis.rows import as_rows, insert_all
from wangge.chassis.transaction import Transaction

INSERT_REPORTS = insert_all(reports, [column.name for column in reports.c], "")
INSERT_MOVES = insert_all(report_moves, [column.name for column in report_moves.c if column.name != "id"], "")

# the rows gathered must not hold their transaction, or neither would ever be forgotten
_gathered: WeakKeyDictionary[Transaction, list[Decided]] = WeakKeyDictionary()


def add(tx: Transaction, decided: Decided) -> None:
    """Write the report and its history with this transaction."""
    gathered = _gathered.get(tx)
    if gathered is None:
        gathered = _gathered[tx] = []
        tx.before_commit(lambda: _write(tx, _gathered[tx]))
    gathered.append(decided)


def _write(tx: Transaction, gathered: list[Decided]) -> None:
    tx.execute(INSERT_REPORTS, as_rows([each.report for each in gathered]))
    tx.execute(INSERT_MOVES, as_rows([move for each in gathered for move in each.moves]))
