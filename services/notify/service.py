"""Assembles notify from its nouns."""

from services.notify.contacts.entrypoints import ContactEntrypoints
from services.notify.directory.entrypoints import DirectoryEntrypoints
from services.notify.messages.entrypoints import MessageEntrypoints
from services.notify.routes.entrypoints import RouteEntrypoints
from services.notify.sites.entrypoints import SiteEntrypoints
from services.notify.templates.entrypoints import TemplateEntrypoints
from wangge.chassis.service import Service


class Notify(
    SiteEntrypoints,
    DirectoryEntrypoints,
    ContactEntrypoints,
    TemplateEntrypoints,
    RouteEntrypoints,
    MessageEntrypoints,
    Service,
):
    """Tells everybody concerned, by inbox, webhook and mail."""

    name = "notify"
