"""The wire format of rule sets."""

from marshmallow import fields

from services.points.fields import PointsField
from wangge.chassis.pages import PageQuery
from wangge.contracts.fields import AreaField, Contract


class RuleSetQuery(PageQuery):
    """`?area=&cursor=&limit=`: the versions of the sites in an area."""

    area = AreaField(load_default=None)


class AutoRuleAnswer(Contract):
    """What posts an item by itself."""

    event = fields.String()
    parts = fields.List(fields.String())
    channels = fields.List(fields.String())
    categories = fields.List(fields.String())


class RuleItemAnswer(Contract):
    """One line of a rule set."""

    code = fields.String()
    part = fields.String()
    text = fields.String()
    value = PointsField()
    value_min = PointsField(allow_none=True)
    max_times = fields.Integer(allow_none=True)
    per_period_cap = PointsField(allow_none=True)
    evidence_required = fields.Boolean()
    auto = fields.Nested(AutoRuleAnswer, allow_none=True)


class RuleSetAnswer(Contract):
    """A published version with its items."""

    rule_set_id = fields.Integer()
    site = fields.String()
    code = fields.String()
    version = fields.Integer()
    valid_from = fields.Date()
    base_cap = PointsField()
    award_cap = PointsField()
    items = fields.List(fields.Nested(RuleItemAnswer))


class RuleSetPage(Contract):
    """A page of rule sets."""

    items = fields.List(fields.Nested(RuleSetAnswer))
    next_cursor = fields.String(allow_none=True)
