"""The wire format of dispatch's part of a site pack: a contract that all services share."""

from wangge.contracts.sites import DispatchPart, SiteApplied

__all__ = ["DispatchPart", "SiteApplied"]
