"""Remembers the copies of intake's directory; a fact that comes late changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Column, Executable, Index, Table, Text, case, func, select
from sqlalchemy.dialects.postgresql import insert

from services.dispatch.directory.model import Person, Unit
from services.dispatch.metadata import metadata
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

unit = Table(
    "units",
    metadata,
    Column("unit_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("area", Text, nullable=False),
    Column("duties", ARRAY(Text), nullable=False),
    Column("status", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)

grid = Table(
    "grids",
    metadata,
    Column("area", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)

person = Table(
    "people",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("area", Text, nullable=False),
    Column("unit_id", Text),
    Column("status", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)

role = Table(
    "roles",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("area", Text, primary_key=True),
    Column("unit_id", Text, primary_key=True, comment="empty: held for no unit"),
    Column("status", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Index("role_holders", "role", "area"),
)


def note(tx: Transaction, table: Table, fact: Mapping[str, Any], sequence: int) -> None:
    """Keep a fact about one entry, unless a later one is known already."""
    row = {column.name: fact.get(column.name) for column in table.c} | {"sequence": sequence}
    tx.execute(_noting(table), row)


@cache
def _noting(table: Table) -> Executable:
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    return statement.on_conflict_do_update(
        index_elements=keys,
        set_={column.name: statement.excluded[column.name] for column in table.c if column.name not in keys},
        where=table.c.sequence < statement.excluded.sequence,
    )


def find_units(tx: Transaction, unit_ids: Collection[str]) -> dict[str, Unit]:
    """The active units among these ids."""
    wanted = select(unit).where(unit.c.unit_id.in_(unit_ids), unit.c.status == "active")
    return {row.unit_id: Unit(row.unit_id, row.name, tuple(row.duties)) for row in tx.execute(wanted)}


def find_people(tx: Transaction, person_ids: Collection[str]) -> dict[str, Person]:
    """The active people among these ids."""
    wanted = select(person).where(person.c.person_id.in_(person_ids), person.c.status == "active")
    return {row.person_id: Person(row.person_id, row.unit_id) for row in tx.execute(wanted)}


def holders(tx: Transaction, roles: Iterable[str], area: str) -> list[Person]:
    """Active holders of any of the roles for this place, by the order of roles, the nearest first."""
    listed = list(roles)
    place = Area.parse(area)
    near = [place.code, *(parent.code for parent in place.parents)]
    wanted = (
        select(person.c.person_id, person.c.unit_id)
        .join(role, role.c.person_id == person.c.person_id)
        .where(
            role.c.role.in_(listed),
            role.c.area.in_(near),
            role.c.status == "active",
            person.c.status == "active",
        )
        .order_by(
            case({name: rank for rank, name in enumerate(listed)}, value=role.c.role),
            func.length(role.c.area).desc(),
            person.c.person_id,
        )
    )
    return [Person(row.person_id, row.unit_id) for row in tx.execute(wanted)]
