"""The service class, assembled from its nouns."""

from services.points.boards.entrypoints import BoardEntrypoints
from services.points.entries.entrypoints import EntryEntrypoints
from services.points.members.entrypoints import MemberEntrypoints
from services.points.periods.entrypoints import PeriodEntrypoints
from services.points.rule_sets.entrypoints import RuleSetEntrypoints
from services.points.sites.entrypoints import SiteEntrypoints
from services.points.wallets.entrypoints import WalletEntrypoints
from wangge.chassis.service import Service


class Points(
    SiteEntrypoints,
    RuleSetEntrypoints,
    MemberEntrypoints,
    EntryEntrypoints,
    WalletEntrypoints,
    PeriodEntrypoints,
    BoardEntrypoints,
    Service,
):
    """Members' points: credited by events and by hand, shown on a four-colour board, kept in a wallet."""

    name = "points"
    uses_redis = True
