"""Speaks the wire of sites; the part itself is the contract `NotifyPart`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Any

from marshmallow import Schema, fields

from services.notify.sites.model import QuietHours, Retries, Site


class SiteAnswer(Schema):
    """Which revision of a site's part holds."""

    site = fields.String()
    area = fields.String()
    name = fields.String()
    revision = fields.String()


def site_of(part: Mapping[str, Any]) -> Site:
    """The site that a loaded part describes."""
    quiet = part["quiet"]
    return Site(
        site=part["site"],
        area=part["area"],
        name=part["name"],
        revision=part["revision"],
        names=part["names"],
        quiet=QuietHours(time.fromisoformat(quiet["from_"]), time.fromisoformat(quiet["to"]))
        if quiet
        else None,
        retries=Retries(**part["retries"]),
    )
