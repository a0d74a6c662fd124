"""What is said to a provider, and how its answers and silences are taken."""

import smtplib

import pytest
import urllib3.exceptions as away

from services.notify.contacts.model import Address, Channel
from services.notify.messages.channels import Mail, Webhook, signature
from services.notify.settings import NotifySettings

SETTINGS = NotifySettings(
    "", "wangge@mail.example", deliveries=1, deliveries_each=1, lease_seconds=30, look_seconds=1
)


def test_signature_is_the_hmac_of_time_and_body():
    # printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
    digest = "49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686"
    assert signature("secret", b'{"a":1}', 1_700_000_000) == f"t=1700000000,v1={digest}"


@pytest.mark.parametrize(
    ("status", "is_delivered", "is_permanent"),
    [
        (200, True, False),
        (204, True, False),
        (301, False, True),
        (400, False, True),
        (404, False, True),
        (408, False, False),
        (429, False, False),
        (500, False, False),
        (503, False, False),
    ],
)
def test_webhook_answer(status, is_delivered, is_permanent):
    outcome = Webhook._outcome(status)
    assert (outcome.is_delivered, outcome.is_permanent) == (is_delivered, is_permanent)


@pytest.mark.parametrize(
    ("error", "detail", "is_permanent"),
    [
        (away.ConnectTimeoutError(None, "late"), "no connection within 3 s", False),
        (away.ReadTimeoutError(None, "", "late"), "no answer within 10 s", False),
        (away.SSLError("untrusted"), "the certificate was not accepted", False),
        (away.NewConnectionError(None, "refused"), "the connection failed", False),
        (away.ProtocolError("closed"), "the connection failed", False),
        (away.LocationParseError("http://"), "the address is no http(s) address", True),
        (away.URLSchemeUnknown("gopher"), "the address is no http(s) address", True),
    ],
)
def test_webhook_that_is_not_reached_is_told_without_its_address(error, detail, is_permanent):
    outcome = Webhook._unreached(error)
    assert (outcome.is_delivered, outcome.detail, outcome.is_permanent) == (False, detail, is_permanent)


def test_webhook_address_may_hold_a_login(a_message):
    address = Address(Channel.WEBHOOK, "https://town:pass%20word@host.example/hook")
    assert Webhook._headers(a_message(), address, b"")["authorization"] == "Basic dG93bjpwYXNzIHdvcmQ="


@pytest.mark.parametrize("address", ["no-address", "ftp://host.example", "http://"])
def test_webhook_address_that_is_none_is_given_up(a_message, address):
    outcome = Webhook(1).send(a_message(), Address(Channel.WEBHOOK, address))
    assert outcome.is_permanent


@pytest.mark.parametrize(
    ("error", "detail", "is_permanent"),
    [
        (
            smtplib.SMTPRecipientsRefused({"a@b.cn": (550, b"who?")}),
            "SMTP 550: the recipient was refused",
            True,
        ),
        (
            smtplib.SMTPRecipientsRefused({"a@b.cn": (450, b"busy")}),
            "SMTP 450: the recipient was refused",
            False,
        ),
        (smtplib.SMTPAuthenticationError(535, b"no"), "the mail server did not accept our login", False),
        (smtplib.SMTPSenderRefused(553, b"no", "a@b.cn"), "SMTP 553", True),
        (smtplib.SMTPDataError(451, b"later"), "SMTP 451", False),
        (smtplib.SMTPServerDisconnected("a@b.cn"), "the connection to the mail server failed", False),
        (ConnectionRefusedError("a@b.cn"), "the connection to the mail server failed", False),
        (TimeoutError(), "no answer of the mail server within 10 s", False),
    ],
)
def test_mail_that_is_not_taken_is_told_without_its_address(error, detail, is_permanent):
    outcome = Mail._refused(error)
    assert (outcome.is_delivered, outcome.detail, outcome.is_permanent) == (False, detail, is_permanent)


def test_mail_without_a_mail_server_is_given_up_with_the_name_of_the_setting(a_message):
    outcome = Mail(SETTINGS).send(a_message(), Address(Channel.MAIL, "a@b.cn"))
    assert (outcome.is_permanent, outcome.detail) == (True, "no mail server is set (WANGGE_SMTP_URI)")


def test_title_of_several_lines_cannot_add_a_header(a_message):
    letter = Mail(SETTINGS).letter(a_message(title="题\r\nBcc: x@b.cn"), Address(Channel.MAIL, "a@b.cn"))
    assert letter["Subject"] == "题 Bcc: x@b.cn"
    assert letter["Bcc"] is None


def test_address_of_several_lines_is_none(a_message):
    with pytest.raises(ValueError, match="linefeed"):
        Mail(SETTINGS).letter(a_message(), Address(Channel.MAIL, "a@b.cn\nBcc: x@b.cn"))
