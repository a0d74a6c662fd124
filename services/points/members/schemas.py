"""The wire format of members."""

from marshmallow import RAISE, Schema, fields

from services.points.boards.schemas import EvaluationAnswer
from services.points.fields import PointsField, period_code
from services.points.members.model import MemberStatus
from wangge.chassis.pages import PageQuery
from wangge.contracts.fields import AreaField, Contract, one_of


class MemberQuery(Schema):
    """`?period=`: the present one where none is named."""

    class Meta:
        unknown = RAISE

    period = period_code(load_default=None)


class MemberListQuery(PageQuery):
    """`?area=&status=&period=&cursor=&limit=`."""

    area = AreaField(load_default=None)
    status = one_of(*MemberStatus, load_default=None)
    period = period_code(load_default=None)


class MemberAnswer(Contract):
    """A member with their score of one period and their wallet."""

    person_id = fields.String()
    site = fields.String()
    org = fields.String()
    status = fields.String()
    area = fields.String()
    left_at = fields.AwareDateTime(allow_none=True)
    period = fields.String()
    evaluation = fields.Nested(EvaluationAnswer)
    wallet = PointsField(metadata={"description": "what may be redeemed; never below 0"})
    entries_url = fields.String()


class MemberPage(Contract):
    """A page of members."""

    items = fields.List(fields.Nested(MemberAnswer))
    next_cursor = fields.String(allow_none=True)
