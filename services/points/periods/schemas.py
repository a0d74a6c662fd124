"""The wire format of periods."""

from marshmallow import RAISE, Schema, fields

from wangge.contracts.fields import AreaField, Contract


class PeriodQuery(Schema):
    """`?area=`: the community; not needed where the asker's scope holds only one."""

    class Meta:
        unknown = RAISE

    area = AreaField(load_default=None)


class PeriodAnswer(Contract):
    """A period as one site counts it."""

    site = fields.String()
    period = fields.String(attribute="period.code")
    kind = fields.String(attribute="period.kind")
    first_on = fields.Date(attribute="period.first_on")
    last_on = fields.Date(attribute="period.last_on")
    state = fields.String()
    closed_at = fields.AwareDateTime(allow_none=True)
    closed_by = fields.String(allow_none=True)
