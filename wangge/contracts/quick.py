"""Loads and dumps by a marshmallow schema, several times faster where the answer is beyond doubt.

Guarantee: the same result as `schema.load` and `schema.dump`, and the same errors: a value about which the quick way
is in any doubt is given to marshmallow, which alone decides and words what is wrong. Limit: schemas with hooks, and
fields that are not listed here, go marshmallow's own way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from datetime import datetime
from functools import partial
from typing import Any, cast
from weakref import WeakKeyDictionary

from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields, missing, validate

Act = Callable[[Any], Any]

_loaders: WeakKeyDictionary[Schema, Act] = WeakKeyDictionary()
_dumpers: WeakKeyDictionary[Schema, Act] = WeakKeyDictionary()


class Surely:
    """A field that can tell by itself when a value is beyond doubt: `surely(value)` loads it or raises `ValueError`."""

    @staticmethod
    def surely(value: Any) -> Any:
        """The loaded value."""
        raise NotImplementedError


def load(schema: Schema, data: Any) -> Any:
    """What `schema.load(data)` answers. Raises marshmallow's `ValidationError`."""
    known = _loaders.get(schema)
    if known is None:
        known = _loaders[schema] = _loader(schema)
    return known(data)


def dump(schema: Schema, data: Any) -> Any:
    """What `schema.dump(data)` answers."""
    known = _dumpers.get(schema)
    if known is None:
        known = _dumpers[schema] = _dumper(schema)
    return known(data)


# loading


def _loader(schema: Schema) -> Act:
    quick = _quick_loader(schema)
    if quick is None:
        return schema.load

    def loaded(data: Any) -> Any:
        try:
            return quick(data)
        except ValueError:
            return schema.load(data)

    return loaded


def _quick_loader(schema: Schema) -> Act | None:
    """Loads or raises `ValueError`: in doubt."""
    is_plain = not any(schema._hooks.values()) and not schema.many and not schema.partial  # noqa: SLF001
    if not is_plain or schema.unknown not in {EXCLUDE, RAISE} or schema.dict_class is not dict:
        return None
    steps = []
    for name, field in schema.load_fields.items():
        key = field.attribute or name
        if "." in key:
            return None
        steps.append((field.data_key or name, key, _reader(field), _absent(field)))
    names = {name for name, _, _, _ in steps} if schema.unknown == RAISE else None

    def quick(data: Any) -> dict[str, Any]:
        if type(data) is not dict or (names is not None and not names.issuperset(data)):
            raise ValueError
        result = {}
        for name, key, read, absent in steps:
            value = data.get(name, missing)
            value = absent() if value is missing else read(value)
            if value is not missing:
                result[key] = value
        return result

    return quick


def _absent(field: fields.Field[Any]) -> Callable[[], Any]:
    default = field.load_default
    if field.required:
        return _doubt
    return default if callable(default) else lambda: default


def _doubt() -> Any:
    raise ValueError


def _reader(field: fields.Field[Any]) -> Act:
    read = _surely(field)
    if read is None or field.pre_load or field.post_load:
        return _by_marshmallow(field)
    checks = tuple(_check(validator) for validator in field.validators)
    if not checks and not field.allow_none:
        return read

    def reader(value: Any) -> Any:
        if value is None and field.allow_none:
            return None
        value = read(value)
        for check in checks:
            if not check(value):
                raise ValueError
        return value

    return reader


def _by_marshmallow(field: fields.Field[Any]) -> Act:
    def reader(value: Any) -> Any:
        try:
            return field.deserialize(value, field.name, {})
        except ValidationError as wrong:
            raise ValueError from wrong

    return reader


def _surely(field: fields.Field[Any]) -> Act | None:
    """Reads a value of the field's own JSON type, anything else is in doubt; None for a field not listed here."""
    if isinstance(field, Surely):
        return field.surely
    make = _MAKERS.get(type(field))
    return make(field) if make else None


def _typed(kind: type) -> Act:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError
        return value

    return read


def _number(value: Any) -> float:
    if type(value) not in {int, float} or not math.isfinite(value):
        raise ValueError
    return float(value)


def _instant(value: Any) -> datetime:
    if type(value) is not str:
        raise ValueError
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError
    return at


def _nested(field: fields.Nested) -> Act | None:
    if field.many or field.unknown is not None:
        return None
    return _quick_loader(field.schema)


def _list(field: fields.List[Any]) -> Act:
    inner = _reader(field.inner)

    def read(value: Any) -> list[Any]:
        if type(value) is not list:
            raise ValueError
        return [inner(each) for each in value]

    return read


def _mapping(field: fields.Dict) -> Act | None:
    is_any = (
        type(field.key_field) is fields.String and not field.key_field.validators and not field.value_field
    )
    return _any_mapping if is_any else None


def _any_mapping(value: Any) -> Any:
    if type(value) is not dict or not all(type(key) is str for key in value):
        raise ValueError
    return value


def _aware(field: fields.AwareDateTime) -> Act | None:
    return _instant if field.format == "iso" and field.default_timezone is None else None


#: By kind of field: what makes its reader.
_MAKERS: dict[type, Callable[[Any], Act | None]] = {
    fields.String: lambda _: _typed(str),
    fields.Boolean: lambda _: _typed(bool),
    fields.Integer: lambda field: None if field.as_string else _typed(int),
    fields.Float: lambda _: _number,
    fields.AwareDateTime: _aware,
    fields.Nested: _nested,
    fields.List: _list,
    fields.Dict: _mapping,
}


def _check(validator: Any) -> Callable[[Any], bool]:
    match validator:
        case validate.Length(min=least, max=most, equal=None):
            low, high = least or 0, most if most is not None else math.inf
            return lambda value: low <= len(value) <= high
        case validate.Regexp(regex=regex):
            match_ = regex.match
            return lambda value: match_(value) is not None
        case validate.OneOf(choices=choices) if all(isinstance(each, str) for each in choices):
            words = frozenset(choices)
            return lambda value: value in words
    return _asked(validator)


def _asked(validator: Act) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        try:
            validator(value)
        except ValidationError:
            return False
        return True

    return check


# dumping


def _dumper(schema: Schema) -> Act:
    quick = _quick_dumper(schema)
    if quick is None:
        return schema.dump
    return lambda data: quick(data) if _is_plain(data) else schema.dump(data)


def _is_plain(value: Any) -> bool:
    """Whether a value is read by name in one way only: a mapping, or a dataclass that is not also a container."""
    return isinstance(value, Mapping) or (is_dataclass(value) and not hasattr(value, "__getitem__"))


def _quick_dumper(schema: Schema) -> Act | None:
    if any(schema._hooks.values()) or schema.many or schema.dict_class is not dict:  # noqa: SLF001
        return None
    steps = []
    for name, field in schema.dump_fields.items():
        key = field.attribute or name
        if "." in key or not field._CHECK_ATTRIBUTE:  # noqa: SLF001 (a field that is computed from the whole)
            return None
        steps.append((field.data_key or name, key, _writer(field), field.dump_default))

    def quick(data: Any) -> dict[str, Any]:
        read = data.get if isinstance(data, Mapping) else partial(getattr, data)
        result = {}
        for name, key, write, default in steps:
            value = read(key, missing)
            if value is missing:
                value = default() if callable(default) else default
            if value is not missing:
                result[name] = None if value is None else write(value)
        return result

    return quick


def _writer(field: fields.Field[Any]) -> Act:
    def by_marshmallow(value: Any) -> Any:
        return field._serialize(value, field.name or "", None)  # noqa: SLF001 (`serialize`, with the value found)

    is_sure, write = _surely_written(field)
    return lambda value: write(value) if is_sure(value) else by_marshmallow(value)


#: By kind of field: what is dumped as it is.
_PLAIN: dict[type, type] = {fields.Boolean: bool, fields.Integer: int, fields.Float: float}


def _surely_written(field: fields.Field[Any]) -> tuple[Callable[[Any], bool], Act]:
    """Which values are dumped beyond doubt, and how."""
    kind = type(field)
    if kind is fields.Nested and not cast("fields.Nested", field).many:
        inner = _quick_dumper(cast("fields.Nested", field).schema)
        return (_is_plain, inner) if inner else (_never, _same)
    if kind is fields.List:
        each = _writer(cast("fields.List[Any]", field).inner)
        return _is(list, tuple), lambda values: [None if one is None else each(one) for one in values]
    if kind is fields.AwareDateTime and cast("fields.AwareDateTime", field).format == "iso":
        return _is(datetime), datetime.isoformat
    plain = _PLAIN.get(kind)
    if plain is not None and not getattr(field, "as_string", False):
        return _is(plain), _same
    is_text = isinstance(field, fields.String) and kind._serialize is fields.String._serialize  # noqa: SLF001
    return (lambda value: isinstance(value, str), str) if is_text else (_never, _same)


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: type(value) in kinds


def _never(_value: Any) -> bool:
    return False


def _same(value: Any) -> Any:
    return value
