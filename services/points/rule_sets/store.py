"""Remembers rule sets. Published versions never change, so a process keeps those it has read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    RowMapping,
    ScalarSelect,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from services.points.metadata import metadata
from services.points.rule_sets.model import AutoRule, Part, RuleItem, RuleSet
from wangge.chassis.transaction import Transaction

rule_sets = Table(
    "rule_sets",
    metadata,
    Column("rule_set_id", BigInteger, Identity(), primary_key=True),
    Column("site", Text, ForeignKey("sites.site"), nullable=False),
    Column("code", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("base_cap", Numeric(8, 2), nullable=False),
    Column("award_cap", Numeric(8, 2), nullable=False),
    UniqueConstraint("site", "code", "version"),
    Index("rule_set_valid", "site", "valid_from", "rule_set_id"),
)

rule_items = Table(
    "rule_items",
    metadata,
    Column("rule_set_id", BigInteger, ForeignKey("rule_sets.rule_set_id"), primary_key=True),
    Column("code", Text, primary_key=True),
    Column("position", SmallInteger, nullable=False),
    Column("part", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("value", Numeric(8, 2), nullable=False),
    Column("value_min", Numeric(8, 2)),
    Column("max_times", Integer),
    Column("per_period_cap", Numeric(8, 2)),
    Column("evidence_required", Boolean, nullable=False),
    Column("auto", JSONB(none_as_null=True)),
)

_read: dict[int, RuleSet] = {}


def get(tx: Transaction, rule_set_ids: Iterable[int]) -> dict[int, RuleSet]:
    """Rule sets by id."""
    wanted = set(rule_set_ids)
    missing = wanted - _read.keys()
    if missing:
        _read.update({each.rule_set_id: each for each in _load(tx, rule_sets.c.rule_set_id.in_(missing))})
    return {each: _read[each] for each in wanted}


def valid_on(site: Any, on: date) -> ScalarSelect[Any]:
    """As a subquery: the id of the version that holds at `site` (a column or value) on this day, or null."""
    return (
        select(rule_sets.c.rule_set_id)
        .where(rule_sets.c.site == site, rule_sets.c.valid_from <= on)
        .order_by(rule_sets.c.valid_from.desc(), rule_sets.c.rule_set_id.desc())
        .limit(1)
        .scalar_subquery()
    )


def find_version(tx: Transaction, site: str, code: str, version: int) -> RuleSet | None:
    """A site's version, or None where it was not published."""
    found = _load(tx, rule_sets.c.site == site, rule_sets.c.code == code, rule_sets.c.version == version)
    return found[0] if found else None


def add(tx: Transaction, rule_set: RuleSet) -> None:
    """Publish a version; its id is given by the database."""
    row = {
        name: getattr(rule_set, name)
        for name in ("site", "code", "version", "valid_from", "base_cap", "award_cap")
    }
    added = insert(rule_sets).values(row).returning(rule_sets.c.rule_set_id)
    rule_set_id = tx.execute(added).scalar_one()
    tx.execute(
        insert(rule_items),
        [_item_row(rule_set_id, position, item) for position, item in enumerate(rule_set.items)],
    )


def page_of(tx: Transaction, sites: Iterable[str], after: int, limit: int) -> list[RuleSet]:
    """Versions of these sites with id > `after`, oldest first."""
    return _load(tx, rule_sets.c.site.in_(list(sites)), rule_sets.c.rule_set_id > after, limit=limit)


def _load(tx: Transaction, *conditions: Any, limit: int | None = None) -> list[RuleSet]:
    query = select(rule_sets).where(*conditions).order_by(rule_sets.c.rule_set_id).limit(limit)
    heads = tx.execute(query).mappings().all()
    items = defaultdict(list)
    lines = (
        select(rule_items)
        .where(rule_items.c.rule_set_id.in_([head["rule_set_id"] for head in heads]))
        .order_by(rule_items.c.rule_set_id, rule_items.c.position)
    )
    for line in tx.execute(lines).mappings():
        items[line["rule_set_id"]].append(_item(line))
    return [RuleSet(**head, items=tuple(items[head["rule_set_id"]])) for head in heads]


def _item(line: RowMapping) -> RuleItem:
    auto = line["auto"] and AutoRule(**{name: _tupled(value) for name, value in line["auto"].items()})
    given = {name: value for name, value in line.items() if name not in {"rule_set_id", "position"}}
    return RuleItem(**{**given, "part": Part(line["part"]), "auto": auto})


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _item_row(rule_set_id: int, position: int, item: RuleItem) -> dict[str, Any]:
    auto = item.auto and {
        "event": item.auto.event,
        "parts": item.auto.parts,
        "channels": item.auto.channels,
        "categories": item.auto.categories,
    }
    return {
        "rule_set_id": rule_set_id,
        "position": position,
        "code": item.code,
        "part": item.part,
        "text": item.text,
        "value": item.value,
        "value_min": item.value_min,
        "max_times": item.max_times,
        "per_period_cap": item.per_period_cap,
        "evidence_required": item.evidence_required,
        "auto": auto,
    }
