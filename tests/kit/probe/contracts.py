"""The probe's own published language."""

from marshmallow import fields, validate

from wangge.contracts.fields import AreaField, Contract, one_of
from wangge.contracts.registry import EventType, Registry

MOODS = ("well", "away", "bug", "no", "hangs", "escapes", "dies", "slow", "burns", "queries")


class ThingTold(Contract):
    """The world tells the probe a thing; `mood` says how the handler behaves until it is mended.

    `seconds`: how long it is slow (others of the process go on) or burns (nothing else of the process runs).
    """

    key = fields.String(required=True)
    number = fields.Integer(required=True, validate=validate.Range(min=0))
    mood = one_of(*MOODS, load_default="well")
    seconds = fields.Float(load_default=0.0)
    area = AreaField(load_default="140802")


class ThingDone(Contract):
    """The probe did a thing."""

    key = fields.String(required=True)
    number = fields.Integer(required=True)
    area = AreaField(required=True)


REGISTRY = Registry(
    [
        EventType("thing.told.v1", "world", ThingTold, subject="key"),
        EventType("thing.done.v1", "probe", ThingDone, subject="key"),
    ]
)
