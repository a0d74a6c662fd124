"""Intake, assembled from its nouns."""

from services.intake.categories.entrypoints import CategoryEntrypoints
from services.intake.directory import DirectoryCache
from services.intake.grids.entrypoints import GridEntrypoints
from services.intake.manifests.entrypoints import ManifestEntrypoints
from services.intake.people.entrypoints import PersonEntrypoints
from services.intake.publishers.entrypoints import ApiKeys, PublisherEntrypoints
from services.intake.publishers.pace import Pace
from services.intake.receipts.entrypoints import ReceiptEntrypoints
from services.intake.reports.entrypoints import ReportEntrypoints
from services.intake.reports.near import NearIndex
from services.intake.sites.entrypoints import SiteEntrypoints
from services.intake.units.entrypoints import UnitEntrypoints
from wangge.chassis.service import Service


class Intake(
    ReportEntrypoints,
    ReceiptEntrypoints,
    ManifestEntrypoints,
    SiteEntrypoints,
    UnitEntrypoints,
    GridEntrypoints,
    PersonEntrypoints,
    PublisherEntrypoints,
    CategoryEntrypoints,
    Service,
):
    """采集受理: what was reported, where, by whom, and whether it is new; the directory that all others copy."""

    name = "intake"
    uses_redis = True
    directory = DirectoryCache()
    near = NearIndex()
    pace = Pace()
    api_keys = ApiKeys(directory)
