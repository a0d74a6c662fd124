"""What is shown of an address, and which of several is used."""

import pytest

from services.notify.contacts.model import Address, Channel, mask, preferred


@pytest.mark.parametrize(
    ("channel", "address", "shown"),
    [
        ("phone", "13800001234", "138****1234"),
        ("phone", "8620123", "****"),
        ("mail", "anna@b.cn", "a***@b.cn"),
        ("mail", "a@b.cn", "a***@b.cn"),
        ("webhook", "https://host.example:8443/path/token?key=1", "https://host.example:8443/…"),
        ("webhook", "https://user:word@host.example/x", "https://host.example/…"),
        ("webhook", "https://host.example?key=1", "https://host.example/…"),
        ("inbox", "", ""),
    ],
)
def test_mask(channel, address, shown):
    assert mask(Channel(channel), address) == shown


def test_address_of_the_site_stands_above_a_shared_one():
    shared = Address(Channel.MAIL, "own@b.cn")
    site = Address(Channel.MAIL, "work@b.cn", origin="site:x")
    assert preferred([shared, site]) is site
    assert preferred([shared]) is shared
    assert preferred([]) is None


def test_address_is_not_in_its_repr():
    assert "b.cn" not in repr(Address(Channel.MAIL, "own@b.cn", "sesame"))
    assert "sesame" not in repr(Address(Channel.MAIL, "own@b.cn", "sesame"))
