"""Assembles dispatch from its nouns."""

from services.dispatch.calendars.entrypoints import CalendarEntrypoints
from services.dispatch.cases.entrypoints import CaseEntrypoints
from services.dispatch.categories.entrypoints import CategoryEntrypoints
from services.dispatch.directory.entrypoints import DirectoryEntrypoints
from services.dispatch.sites.entrypoints import SiteEntrypoints
from wangge.chassis.service import Service


class Dispatch(
    CaseEntrypoints, CategoryEntrypoints, CalendarEntrypoints, DirectoryEntrypoints, SiteEntrypoints, Service
):
    """Who must do what by when, and whether it is done."""

    name = "dispatch"
