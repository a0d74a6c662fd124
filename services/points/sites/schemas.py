"""The wire format of sites is a published contract: wangge.contracts.sites."""

from wangge.contracts.sites import PointsPart, SiteApplied

__all__ = ["PointsPart", "SiteApplied"]
