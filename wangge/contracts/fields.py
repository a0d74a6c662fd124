"""The marshmallow fields that events and HTTP bodies share: area codes, references, instants, positions."""

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from wangge.contracts.areas import Area
from wangge.contracts.quick import Surely

REFERENCE = (
    r"^((person|resident|unit):[A-Za-z0-9._-]{1,64}|publisher:[A-Za-z0-9._-]{1,64}(/[A-Za-z0-9._-]{1,64})?)$"
)
PERSON_ID = r"^[A-Za-z0-9._-]{1,64}$"
REPORT_CODE = r"^BG[0-9]{8}-[0-9]{6,}$"
CASE_NO = r"^[0-9]{19}$"


class Contract(Schema):
    """Base of every published shape. Unknown fields are ignored, so a newer producer never breaks a consumer."""

    class Meta:
        unknown = EXCLUDE


class AreaField(fields.String, Surely):
    """An administrative or grid code of 2 to 17 digits (GB/T 2260, statistical codes, grid code)."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {
            "description": "area code: province 2, city 2, county 2, street 3, community 3, grid 3, micro-grid 2 digits",
            "pattern": "^[0-9]{2,17}$",
            **kwargs.pop("metadata", {}),
        }
        super().__init__(metadata=metadata, **kwargs)

    @staticmethod
    def surely(value: Any) -> str:
        """The code, of text only."""
        if type(value) is not str:
            raise ValueError
        return Area.parse(value).code

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return Area.parse(text).code
        except ValueError as wrong:
            raise ValidationError(str(wrong)) from wrong


def text(most: int, least: int = 1, **kwargs: Any) -> fields.String:
    """Text of `least` to `most` characters."""
    return fields.String(validate=validate.Length(min=least, max=most), **kwargs)


def matching(pattern: str, **kwargs: Any) -> fields.String:
    """Text that the regular expression matches."""
    return fields.String(validate=validate.Regexp(pattern), **kwargs)


def one_of(*values: str, **kwargs: Any) -> fields.String:
    """One of the listed words."""
    return fields.String(validate=validate.OneOf(values), **kwargs)


def instant(**kwargs: Any) -> fields.AwareDateTime:
    """An RFC 3339 instant with its offset; without an offset it is refused."""
    return fields.AwareDateTime(format="iso", **kwargs)


def reference(**kwargs: Any) -> fields.String:
    """Who, without saying who: `person:<id>`, `resident:<id>`, `unit:<id>`, `publisher:<login>`.

    `publisher:<login>/<reference>` is somebody whom only that publisher knows; it passes the answer on.
    """
    return matching(REFERENCE, **kwargs)


class Location(Contract):
    """Where it is: WGS-84 degrees and an address down to the building."""

    lng = fields.Float(validate=validate.Range(-180, 180), allow_none=True)
    lat = fields.Float(validate=validate.Range(-90, 90), allow_none=True)
    address = text(200, allow_none=True)


class Evidence(Contract):
    """A photo, a recording or a document, by address and digest."""

    url = text(2000, required=True)
    sha256 = matching(r"^[0-9a-f]{64}$")
    kind = one_of(
        "photo_near", "photo_far", "reference", "before", "after", "audio", "video", "doc", "recorder"
    )


class WrongField(Contract):
    """One wrong field of a refused input."""

    field = text(200, required=True)
    message = text(1000, required=True)


URGENCIES = ("none", "high", "emergency")

CHANNELS = (
    "patrol",
    "grid_visit",
    "unit_leader",
    "mobile_desk",
    "night_talk",
    "meeting",
    "resident_app",
    "wechat_group",
    "rider",
    "hotline_12345",
    "hotline_12319",
    "police_110",
    "video",
    "leader_batch",
    "media",
    "letter",
    "sensor",
)
"""Source channels of a report (domain model, shared value objects)."""
