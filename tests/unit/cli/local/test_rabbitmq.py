import re

import pytest

from wangge.cli.local.rabbitmq import permissions_of


def may(service: str, right: str, name: str) -> bool:
    return re.search(permissions_of(service)[right], name) is not None


@pytest.mark.parametrize("service", ["intake", "dispatch", "points", "notify"])
def test_service_writes_to_its_own_exchange_and_no_other_service_does(service):
    for other in ("intake", "dispatch", "points", "notify"):
        assert may(other, "write", f"{service}.events") == (other == service)


def test_every_service_reads_the_event_exchanges_but_only_its_own_queues():
    assert may("points", "read", "dispatch.events")
    assert may("points", "read", "points.home.0")
    assert not may("points", "read", "dispatch.home.0")


def test_only_intake_issues_receipts():
    assert may("intake", "write", "receipts")
    assert may("intake", "configure", "receipts.city-hotline")
    for service in ("dispatch", "points", "notify"):
        assert not may(service, "write", "receipts")
        assert not may(service, "read", "receipts.city-hotline")


def test_no_service_writes_incidents():
    assert not any(
        may(service, "write", "incidents") for service in ("intake", "dispatch", "points", "notify")
    )


def test_rights_match_whole_names_only():
    assert not may("points", "write", "xpoints.events")
    assert not may("points", "configure", "incidents.other")
