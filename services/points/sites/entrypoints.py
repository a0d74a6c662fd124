"""Opens the door to sites: takes points' part of a site pack, all or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.points.entries import posting
from services.points.members import store as members
from services.points.members.model import Member, MemberStatus, changes
from services.points.periods.model import PeriodKind
from services.points.rule_sets import store as rule_sets
from services.points.rule_sets.model import AutoRule, Part, RuleItem, RuleSet, check_publishable
from services.points.sites import store
from services.points.sites.model import Site, check_named
from services.points.sites.schemas import PointsPart, SiteApplied
from wangge.chassis.errors import Conflict
from wangge.chassis.http import Ask, route
from wangge.chassis.transaction import Transaction

#: Bytes of a part: about ten thousand members.
MAX_PART_BYTES = 4 * 1024 * 1024

NOTHING = {"sites": 0, "members": 0, "rule_sets": 0}


class SiteEntrypoints:
    """Commands about sites."""

    app: Any

    @route(
        "PUT",
        "/v1/sites/<site>",
        may={"admin"},
        body=PointsPart(),
        answer=SiteApplied(),
        tag="sites",
        max_bytes=MAX_PART_BYTES,
    )
    def apply_site(self, tx: Transaction, ask: Ask, site: str) -> dict[str, Any]:
        """Take points' part of a site pack; the same revision again changes nothing."""
        part = ask.body
        check_named(site, part["site"])
        ask.who.require_area(part["area"])
        posting.lock(tx)
        known = store.find(tx, site)
        changed = NOTHING if known and known.revision == part["revision"] else _apply(tx, part)
        return {"site": site, "revision": part["revision"], "changed": changed}


def _apply(tx: Transaction, part: Mapping[str, Any]) -> dict[str, int]:
    site = part["site"]
    holder = store.holder_of(tx, part["area"])
    if holder and holder.site != site:
        raise Conflict(
            "site.area_taken", f"{part['area']} 已属于 {holder.site}", f"the area belongs to {holder.site}"
        )
    store.save(tx, Site(site, part["name"], part["area"], PeriodKind(part["period_kind"]), part["revision"]))
    changed = {"sites": 1, "members": _members(tx, part), "rule_sets": _publish(tx, site, part["rule_set"])}
    store.boards_changed(tx, [site])
    return changed


def _members(tx: Transaction, part: Mapping[str, Any]) -> int:
    listed = [
        Member(
            row["person_id"],
            part["site"],
            row["org"],
            MemberStatus(row["status"]),
            row["grid"] or part["area"],
        )
        for row in part["members"]
    ]
    taken = members.elsewhere(tx, part["site"], [member.person_id for member in listed])
    if taken:
        named = ", ".join(sorted(taken))
        raise Conflict(
            "member.elsewhere", f"已是其他社区的党员：{named}", f"members of another site: {named}"
        )
    return members.save_all(tx, changes(members.of_site(tx, part["site"]), listed, tx.now))


def _publish(tx: Transaction, site: str, given: Mapping[str, Any]) -> int:
    """Publish the rule set unless this very version stands. Raises `Conflict` when it stands with other contents."""
    rule_set = RuleSet(
        0,
        site,
        given["code"],
        given["version"],
        given["valid_from"],
        given["base_cap"],
        given["award_cap"],
        tuple(_item(item) for item in given["items"]),
    )
    check_publishable(rule_set, given["expected_items"])
    published = rule_sets.find_version(tx, site, rule_set.code, rule_set.version)
    if published is None:
        rule_sets.add(tx, rule_set)
        return 1
    if not published.says_the_same(rule_set):
        raise Conflict(
            "rule_set.published",
            f"规则 {rule_set.code} 第 {rule_set.version} 版已发布，修改请提高版本号",
            f"version {rule_set.version} of {rule_set.code} is published; raise rule_set.version to change it",
        )
    return 0


def _item(given: Mapping[str, Any]) -> RuleItem:
    auto = given["auto"]
    rule = auto and AutoRule(
        auto["event"], tuple(auto["parts"]), tuple(auto["channels"]), tuple(auto["categories"])
    )
    return RuleItem(**{**given, "part": Part(given["part"]), "auto": rule or None})
