"""The quick way and marshmallow's own say the same of every contract, whatever a message holds."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from wangge.contracts import quick
from wangge.contracts.envelope import EnvelopeSchema
from wangge.contracts.events import REGISTRY
from wangge.contracts.fields import AreaField

SCHEMAS = {event.type: event.loader for event in REGISTRY} | {"envelope": EnvelopeSchema()}

#: What a field may be given instead of what it wants.
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10**9), st.floats(), st.just(""), st.just("x" * 5000),
    st.text(max_size=3), st.just([]), st.just({}), st.just(["a", 1]), st.just({"address": 7}),
    st.just("2025-12-08T10:00:00"), st.just("2025-12-08T10:00:00Z\n"), st.just(b"bytes"), st.just(10**400),
)  # fmt: skip


WANTED = {
    AreaField: st.sampled_from(["14", "140802", "140802002901", "14080200290100300", "140802002901003"]),
    fields.AwareDateTime: st.sampled_from(["2025-12-08T10:00:00Z", "2025-12-08T10:00:00.5+08:00"]),
    fields.Dict: st.dictionaries(st.text(max_size=3), ODD, max_size=2),
    fields.Boolean: st.booleans(),
    fields.Integer: st.integers(1, 90),
    fields.Float: st.integers(0, 90),
    fields.Decimal: st.sampled_from(["0", "1.50", 7]),
    fields.String: st.text(min_size=1, max_size=16),
}


def fitting(field):
    """Values that the field should take."""
    if isinstance(field, fields.Nested):
        return documents(field.schema)
    if isinstance(field, fields.List):
        return st.lists(fitting(field.inner), max_size=2)
    for validator in field.validators:
        if isinstance(validator, validate.OneOf):
            return st.sampled_from(validator.choices)
        if isinstance(validator, validate.Regexp):
            return st.from_regex(validator.regex)
        if isinstance(validator, validate.Equal):
            return st.just(validator.comparable)
    return WANTED[type(field)]


@cache
def documents(schema):
    """Documents of a schema: mostly right, here and there odd, some fields left out, some too many."""
    required = {
        name: st.one_of(fitting(field), fitting(field), ODD) if field.required else fitting(field)
        for name, field in schema.load_fields.items()
    }
    return st.one_of(whole(schema), st.fixed_dictionaries({}, optional=required | {"more": ODD}))


@cache
def whole(schema):
    """Documents that have every field of a schema, all right."""
    return st.fixed_dictionaries({name: right(field) for name, field in schema.load_fields.items()})


def right(field):
    if isinstance(field, fields.Nested):
        return whole(field.schema)
    if isinstance(field, fields.List):
        return st.lists(right(field.inner), max_size=2)
    return fitting(field)


def outcome(load, document):
    try:
        return load(document)
    except ValidationError as wrong:
        return wrong.messages


@given(data=st.data(), name=st.sampled_from(sorted(SCHEMAS)))
@settings(max_examples=400, deadline=None)
def test_the_quick_way_loads_and_refuses_as_marshmallow_does(name, data):
    schema = SCHEMAS[name]
    document = data.draw(st.one_of(documents(schema), documents(schema), ODD))
    theirs = outcome(schema.load, document)
    assert repr(outcome(lambda given: quick.load(schema, given), document)) == repr(theirs)


@given(data=st.data(), name=st.sampled_from(sorted(SCHEMAS)))
@settings(max_examples=200, deadline=None)
def test_what_was_loaded_is_dumped_as_marshmallow_does(name, data):
    schema = SCHEMAS[name]
    loaded = schema.load(data.draw(whole(schema)))
    assert quick.dump(schema, loaded) == schema.dump(loaded)


def test_every_contract_has_a_quick_way():
    assert [name for name, schema in SCHEMAS.items() if quick._quick_loader(schema) is None] == []


class Colour(StrEnum):
    RED = "red"


class Thing(Schema):
    class Meta:
        unknown = RAISE

    name = fields.String(attribute="called", data_key="Name", required=True)
    colour = fields.String(load_default="red")
    price = fields.Decimal(as_string=True)
    shelf = fields.Float(allow_none=True)


class Hooked(Thing):
    @post_load
    def shout(self, data, **_):
        return {**data, "called": data["called"].upper()}


@pytest.mark.parametrize(
    "document",
    [
        {"Name": "a"},
        {"Name": "a", "price": "1.50", "shelf": None},
        {"Name": "a", "more": 1},
        {"name": "a"},
        {"Name": "a", "shelf": float("nan")},
        {"Name": "a", "shelf": True},
        {"Name": b"a"},
    ],
)
@pytest.mark.parametrize("schema", [Thing(), Hooked()])
def test_other_keys_unknown_fields_and_hooks_are_marshmallows(schema, document):
    assert repr(outcome(lambda given: quick.load(schema, given), document)) == repr(
        outcome(schema.load, document)
    )


def test_values_of_the_domain_are_dumped_as_marshmallow_does():
    thing = {"called": "a", "colour": Colour.RED, "price": Decimal("1.5"), "shelf": None}
    assert quick.dump(Thing(), thing) == Thing().dump(thing) == {
        "Name": "a", "colour": "red", "price": "1.5", "shelf": None,
    }  # fmt: skip


def test_an_object_is_dumped_as_marshmallow_does():
    class Held:
        called, colour = "a", "red"

    assert quick.dump(Thing(), Held()) == Thing().dump(Held())


class Basket(Schema):
    things = fields.List(fields.Nested(Thing))
    tags = fields.List(fields.String())
    count = fields.Integer()
    packed_at = fields.AwareDateTime(allow_none=True)


@dataclass(frozen=True)
class Held:
    called: str
    colour: Colour = Colour.RED
    price: Decimal | None = None


@pytest.mark.parametrize(
    "basket",
    [
        {"things": (Held("a"), {"called": "b"}), "tags": (Colour.RED, "x"), "count": 3, "packed_at": None},
        {
            "things": [Held("a", price=Decimal(2))],
            "tags": [1, None],
            "count": True,
            "packed_at": datetime.now(UTC),
        },
        {"things": None, "tags": {"only": 1}.keys(), "count": "7"},
        {},
    ],
)
def test_parts_of_an_answer_are_dumped_as_marshmallow_does(basket):
    assert repr(quick.dump(Basket(), basket)) == repr(Basket().dump(basket))


def test_a_broken_fact_is_named_before_it_is_told():
    now = datetime.now(UTC)
    fact = {"message_id": "1", "event_id": "2", "recipient": "nobody", "channel": "pigeon", "template": "t",
            "attempt": 0, "area": "140802", "at": now}  # fmt: skip
    with pytest.raises(ValidationError) as wrong:
        REGISTRY["message.delivered.v1"].dump(fact)
    assert set(wrong.value.messages) == {"recipient", "channel", "attempt"}
