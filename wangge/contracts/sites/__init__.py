"""The parts of a site pack: what each service gets by `PUT /v1/sites/{site}` and what it answers."""

from wangge.contracts.sites.base import SiteApplied, SitePart, revision_of, with_revision
from wangge.contracts.sites.dispatch import DispatchPart
from wangge.contracts.sites.intake import IntakePart
from wangge.contracts.sites.notify import NotifyPart
from wangge.contracts.sites.points import PointsPart
from wangge.contracts.sites.roles import ROLES

PARTS: dict[str, type[SitePart]] = {
    part.part: part for part in (IntakePart, DispatchPart, PointsPart, NotifyPart)
}

__all__ = [
    "PARTS",
    "ROLES",
    "DispatchPart",
    "IntakePart",
    "NotifyPart",
    "PointsPart",
    "SiteApplied",
    "SitePart",
    "revision_of",
    "with_revision",
]
