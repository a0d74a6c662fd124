"""Asks the database once for what many events of one batch need: the rules of their site, the people of their units.

Guarantee: nothing outlives its transaction, and a write in it forgets everything that was read before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from wangge.chassis.transaction import Transaction

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

_read: WeakKeyDictionary[Transaction, dict[tuple[str, Any], Any]] = WeakKeyDictionary()


def remembered(
    tx: Transaction,
    what: str,
    keys: Collection[Key],
    load: Callable[[Collection[Key]], Mapping[Key, Value]],
    absent: Value,
) -> dict[Key, Value]:
    """The values of the keys; only those that this transaction has not asked for yet are loaded."""
    missing = unknown(tx, what, keys)
    if missing:
        loaded = load(missing)
        remember(tx, what, {key: loaded.get(key, absent) for key in missing})
    return {key: _read[tx][what, key] for key in keys}


def unknown(tx: Transaction, what: str, keys: Collection[Key]) -> list[Key]:
    """Those of the keys that this transaction has not asked for yet."""
    known = _read.get(tx, {})
    return [key for key in dict.fromkeys(keys) if (what, key) not in known]


def remember(tx: Transaction, what: str, values: Mapping[Key, Value]) -> None:
    """These were read."""
    _read.setdefault(tx, {}).update({(what, key): value for key, value in values.items()})


def forget(tx: Transaction) -> None:
    """Something was written: read it anew."""
    _read.pop(tx, None)
