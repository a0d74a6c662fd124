"""Makes a table hold what it should, and says what lies in an area."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, false, or_
from sqlalchemy.dialects.postgresql import insert

from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area


def save(tx: Transaction, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Make `table` hold exactly these values under their primary keys."""
    if not rows:
        return
    statement = insert(table).values(list(rows))
    key = [column.name for column in table.primary_key]
    given = {name: statement.excluded[name] for name in rows[0] if name not in key}
    tx.execute(statement.on_conflict_do_update(index_elements=key, set_=given))


def within(column: ColumnElement[str], areas: Sequence[Area]) -> ColumnElement[bool]:
    """Whether the area code in `column` lies in one of `areas`; with none of them nothing does."""
    return or_(*(column.startswith(area.digits, autoescape=True) for area in areas), false())
