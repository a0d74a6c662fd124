"""The wire format of evaluations and boards."""

from marshmallow import fields

from services.points.boards.model import MemberBand
from services.points.fields import PointsField
from wangge.chassis.pages import PageQuery
from wangge.contracts.fields import AreaField, Contract, one_of


class EvaluationAnswer(Contract):
    """A score of a period: base and award within their caps, what was taken, the total and its colour."""

    base = PointsField()
    award = PointsField()
    penalty = PointsField()
    total = PointsField()
    band = one_of(*MemberBand)


class BoardQuery(PageQuery):
    """`?area=&cursor=&limit=`: the community, or one of its grids; not needed where the scope holds only one."""

    area = AreaField(load_default=None)


class StandingAnswer(Contract):
    """A member's place."""

    person_id = fields.String()
    total = PointsField()
    band = one_of(*MemberBand)
    rank = fields.Integer()


class BoardAnswer(Contract):
    """A page of a board, the highest first, with the count of each colour over the whole of it."""

    period = fields.String()
    area = fields.String()
    items = fields.List(fields.Nested(StandingAnswer))
    bands = fields.Dict(keys=fields.String(), values=fields.Integer())
    next_cursor = fields.String(allow_none=True)
