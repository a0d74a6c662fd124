"""Remembers the newest fact of every unit, grid, person and role.

Guarantee: facts may come in any order and any number of times; the one with the highest sequence of its aggregate stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Table, Text, select, text
from sqlalchemy.dialects.postgresql import insert

from services.notify.directory.model import (
    UNIT_ROLES,
    Holders,
    Question,
    Role,
    Spokespeople,
    Standing,
    answer,
)
from services.notify.metadata import metadata
from services.notify.remembering import forget, remember, remembered, unknown
from wangge.chassis.transaction import Transaction

units = Table(
    "units",
    metadata,
    Column("unit_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("area", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)

grids = Table(
    "grids",
    metadata,
    Column("area", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)

people = Table(
    "people",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("area", Text, nullable=False),
    Column("unit_id", Text),
    Column("status", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Index("people_unit", "unit_id"),
)

roles = Table(
    "roles",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("area", Text, primary_key=True),
    Column("unit_id", Text, primary_key=True, comment="empty where the role is for no unit"),
    Column("status", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Index("roles_unit", "unit_id"),
    Index("roles_area", "role", "area"),
)


def keep(tx: Transaction, table: Table, row: Mapping[str, Any], sequence: int) -> None:
    """Keep the row unless a newer fact of it is known."""
    statement = insert(table).values(**row, sequence=sequence)
    changed = {column.name: statement.excluded[column.name] for column in table.c if not column.primary_key}
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_=changed,
            where=table.c.sequence < statement.excluded.sequence,
        )
    )
    forget(tx)


def ask(
    tx: Transaction, questions: Collection[Question], codes: Collection[str]
) -> dict[Question, tuple[str, ...]]:
    """The references that answer each question. The same statement learns what `codes` are called, for `names_of`."""
    missing, nameless = unknown(tx, "people", questions), unknown(tx, "names", codes)
    if missing or nameless:
        roles, names = _asked(tx, missing, nameless)
        remember(tx, "people", _answers(tx, missing, roles) if missing else {})
        remember(tx, "names", {code: names.get(code, "") for code in nameless})
    return remembered(tx, "people", questions, lambda _: {}, ())


def names_of(tx: Transaction, codes: Collection[str]) -> dict[str, str]:
    """The names of those of the codes that are units or grids."""
    found = remembered(tx, "names", codes, lambda missing: _asked(tx, (), missing)[1], "")
    return {code: name for code, name in found.items() if name}


_ASKED = text(
    "SELECT roles.person_id AS code, roles.role, roles.area, roles.unit_id, CAST(NULL AS text) AS name FROM roles "
    "LEFT JOIN people ON people.person_id = roles.person_id "
    "WHERE roles.status = 'active' AND people.status IS DISTINCT FROM 'ended' AND "
    "(roles.unit_id = ANY(CAST(:units AS text[])) AND roles.role = ANY(CAST(:speaking AS text[])) "
    "OR roles.role = ANY(CAST(:held AS text[])) AND roles.area = ANY(CAST(:areas AS text[]))) "
    "UNION ALL SELECT unit_id, NULL, NULL, NULL, name FROM units WHERE unit_id = ANY(CAST(:codes AS text[])) "
    "UNION ALL SELECT area, NULL, NULL, NULL, name FROM grids WHERE area = ANY(CAST(:codes AS text[]))"
)


def _asked(
    tx: Transaction, questions: Collection[Question], codes: Collection[str]
) -> tuple[list[Role], dict[str, str]]:
    """Roles that answer the questions, and the names of the codes."""
    holders = [question for question in questions if isinstance(question, Holders)]
    wanted = {
        "units": list(_units_in(questions)),
        "speaking": list(UNIT_ROLES),
        "held": list({question.role for question in holders}),
        "areas": list({area for question in holders for area in question.areas}),
        "codes": list(codes),
    }
    rows = tx.execute(_ASKED, wanted).all()
    roles = [Role(row.code, row.role, row.area, row.unit_id or None) for row in rows if row.role]
    return roles, {row.code: row.name for row in rows if not row.role}


def _answers(
    tx: Transaction, questions: Collection[Question], roles: Collection[Role]
) -> dict[Question, tuple[str, ...]]:
    spoken_for = {role.unit_id for role in roles if role.role in UNIT_ROLES}
    staff = _people(tx, _units_in(questions) - spoken_for)
    return {question: answer(question, roles, staff) for question in questions}


def _units_in(questions: Collection[Question]) -> set[str]:
    return {question.unit_id for question in questions if isinstance(question, Spokespeople)}


def _people(tx: Transaction, without_roles: Collection[str]) -> dict[str, list[str]]:
    if not without_roles:
        return {}
    query = select(people.c.unit_id, people.c.person_id).where(
        people.c.unit_id.in_(without_roles), people.c.status == Standing.ACTIVE
    )
    found: dict[str, list[str]] = {}
    for row in tx.execute(query):
        found.setdefault(row.unit_id, []).append(row.person_id)
    return found
