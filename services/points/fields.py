"""The marshmallow fields that the nouns of points share."""

from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, fields, validate

from wangge.contracts.fields import matching

#: The most that one entry may be worth, as in a site pack.
MOST = Decimal(1000)

PERIOD = r"^[0-9]{4}(Q[1-4]|-(0[1-9]|1[0-2]))?$"


class PointsField(fields.Decimal):
    """An amount of points: a JSON number, an integer when it is whole; at most two decimals are taken."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        if value is None:
            return None
        amount = Decimal(value)
        return int(amount) if amount == amount.to_integral_value() else float(amount)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        amount: Decimal = super()._deserialize(value, attr, data, **kwargs)
        if amount != round(amount, 2):
            raise ValidationError("at most two decimals")
        return amount


def amount(**kwargs: Any) -> PointsField:
    """An amount of points that somebody gives: 0 to 1000."""
    return PointsField(validate=validate.Range(min=Decimal(0), max=MOST), **kwargs)


def period_code(**kwargs: Any) -> fields.String:
    """A period: `2025Q3`, `2025-09` or `2025`."""
    wrong = "not a period: a quarter `2025Q3`, a month `2025-09` or a year `2025`"
    field = matching(PERIOD, **kwargs)
    field.validators = [validate.Regexp(PERIOD, error=wrong)]
    return field
