"""Remembers people, their roles with their beginning and end, and their names in a table that can be erased."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Table,
    Text,
    delete,
    insert,
    select,
    text,
    tuple_,
    update,
)

from services.intake.metadata import metadata
from services.intake.people.model import Contact, Person, PersonStatus, RoleAssignment
from services.intake.saving import save, within
from wangge.chassis.transaction import Transaction
from wangge.contracts.areas import Area

people = Table(
    "people",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("area", Text, nullable=False),
    Column("unit_id", Text),
    Column("is_party_member", Boolean, nullable=False),
    Column("status", Text, nullable=False),
    Index("person_site", "site"),
)

person_contacts = Table(
    "person_contacts",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("name", Text),
    Column("phone", Text),
    Column("mail", Text),
    Index("person_contact_site", "site"),
    comment="P2: read only where the work needs it, erasable without touching the record",
)

role_assignments = Table(
    "role_assignments",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("person_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("area", Text, nullable=False),
    Column("unit_id", Text, nullable=False, comment="empty: for no unit"),
    Column("site", Text, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Index(
        "role_assignment_held",
        "person_id",
        "role",
        "area",
        "unit_id",
        unique=True,
        postgresql_where=text("ended_at IS NULL"),
    ),
    Index("role_assignment_site", "site"),
)


def of_site(tx: Transaction, site: str) -> dict[str, Person]:
    """Everybody whom the site ever listed, by id."""
    rows = tx.execute(select(people).where(people.c.site == site)).mappings()
    return {row["person_id"]: _person(row) for row in rows}


def contacts_of_site(tx: Transaction, site: str) -> dict[str, Contact]:
    """Names and numbers of the site's people, by id."""
    rows = tx.execute(select(person_contacts).where(person_contacts.c.site == site))
    return {row.person_id: Contact(row.name, row.phone, row.mail) for row in rows}


def roles_of_site(tx: Transaction, site: str) -> set[RoleAssignment]:
    """Roles held now by the site's people."""
    held = role_assignments.c.ended_at.is_(None)
    rows = tx.execute(select(role_assignments).where(role_assignments.c.site == site, held))
    return {_assignment(row) for row in rows}


def owners(tx: Transaction, person_ids: Collection[str]) -> dict[str, str]:
    """Which site each of these people belongs to."""
    rows = tx.execute(select(people.c.person_id, people.c.site).where(people.c.person_id.in_(person_ids)))
    return {row.person_id: row.site for row in rows}


def put(tx: Transaction, changed: Sequence[Person]) -> None:
    """Write these people; the names of those who have gone are erased."""
    save(tx, people, [_row(person) for person in changed])
    gone = [person.person_id for person in changed if person.status is PersonStatus.ENDED]
    if gone:
        tx.execute(delete(person_contacts).where(person_contacts.c.person_id.in_(gone)))


def put_contacts(tx: Transaction, site: str, changed: Mapping[str, Contact]) -> None:
    """Write these names and numbers."""
    rows = [
        {
            "person_id": person_id,
            "site": site,
            "name": contact.name,
            "phone": contact.phone,
            "mail": contact.mail,
        }
        for person_id, contact in changed.items()
    ]
    save(tx, person_contacts, rows)


def put_roles(
    tx: Transaction, site: str, given_up: Sequence[RoleAssignment], taken_up: Sequence[RoleAssignment]
) -> None:
    """End and begin roles at `tx.now`."""
    if given_up:
        columns = role_assignments.c
        held = tuple_(columns.person_id, columns.role, columns.area, columns.unit_id).in_(
            [(one.person_id, one.role, one.area, one.unit_id or "") for one in given_up]
        )
        tx.execute(update(role_assignments).where(held, columns.ended_at.is_(None)).values(ended_at=tx.now))
    if taken_up:
        rows = [
            {
                "person_id": one.person_id,
                "role": one.role,
                "area": one.area,
                "unit_id": one.unit_id or "",
                "site": site,
                "started_at": tx.now,
            }
            for one in taken_up
        ]
        tx.execute(insert(role_assignments), rows)


def is_known(tx: Transaction, person_id: str) -> bool:
    """Whether somebody of this id belongs to the directory now."""
    query = select(people.c.person_id).where(
        people.c.person_id == person_id, people.c.status == PersonStatus.ACTIVE
    )
    return tx.execute(query).first() is not None


def contact(tx: Transaction, person_id: str) -> Contact | None:
    """The name and numbers of somebody of the directory, who must belong to it now."""
    joined = people.outerjoin(person_contacts, people.c.person_id == person_contacts.c.person_id)
    query = (
        select(person_contacts.c.name, person_contacts.c.phone, person_contacts.c.mail)
        .select_from(joined)
        .where(people.c.person_id == person_id, people.c.status == PersonStatus.ACTIVE)
    )
    row = tx.execute(query).first()
    return Contact(row.name, row.phone, row.mail) if row else None


def listed(
    tx: Transaction, scope: tuple[Area, ...], area: Area | None, role: str | None, after: str, limit: int
) -> list[Person]:
    """People who hold a role in the scope (in `area`, of this kind), or whose community lies in it, by id."""
    query = select(people).where(people.c.person_id > after, people.c.status == PersonStatus.ACTIVE)
    query = query.where(_belongs(scope, role))
    if area:
        query = query.where(_belongs((area,), role))
    return [_person(row) for row in tx.execute(query.order_by(people.c.person_id).limit(limit)).mappings()]


def _belongs(areas: tuple[Area, ...], role: str | None) -> Any:
    columns = role_assignments.c
    holds = select(columns.id).where(
        columns.person_id == people.c.person_id, columns.ended_at.is_(None), within(columns.area, areas)
    )
    if role:
        return holds.where(columns.role == role).exists()
    return within(people.c.area, areas) | holds.exists()


def roles_of(tx: Transaction, person_ids: Collection[str]) -> dict[str, list[RoleAssignment]]:
    """Roles held now, by person."""
    columns = role_assignments.c
    rows = tx.execute(
        select(role_assignments)
        .where(columns.person_id.in_(person_ids), columns.ended_at.is_(None))
        .order_by(columns.id)
    )
    found: dict[str, list[RoleAssignment]] = {}
    for row in rows:
        found.setdefault(row.person_id, []).append(_assignment(row))
    return found


def names_of(tx: Transaction, person_ids: Collection[str]) -> dict[str, str]:
    """Names, by person."""
    columns = person_contacts.c
    rows = tx.execute(select(columns.person_id, columns.name).where(columns.person_id.in_(person_ids)))
    return {row.person_id: row.name for row in rows}


def _row(person: Person) -> dict[str, Any]:
    return {
        "person_id": person.person_id,
        "site": person.site,
        "area": person.area,
        "unit_id": person.unit_id,
        "is_party_member": person.is_party_member,
        "status": person.status,
    }


def _person(row: Any) -> Person:
    return Person(
        person_id=row["person_id"],
        site=row["site"],
        area=row["area"],
        unit_id=row["unit_id"],
        is_party_member=row["is_party_member"],
        status=PersonStatus(row["status"]),
    )


def _assignment(row: Any) -> RoleAssignment:
    return RoleAssignment(row.person_id, row.role, row.area, row.unit_id or None)
