"""Carries one message to one provider: over HTTP to a webhook, over SMTP to a mail server.

Guarantee: every try ends with an outcome, within the time it is given. Limit: a provider may have taken what we count as
failed (its answer was lost), so it may get a message twice; `Wangge-Message-Id` and the mail's `Message-ID` stay the same.
"""

from __future__ import annotations

import hashlib
import hmac
import smtplib
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

import certifi
import eventlet
import orjson
import urllib3

from services.notify.contacts.model import Address, Channel
from services.notify.messages.model import Message, Outcome
from services.notify.settings import NotifySettings
from wangge import __version__

#: Seconds to connect, and to wait for each answer.
CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0

#: Receivers to which connections are kept.
RECEIVERS = 256

#: Bytes of an answer that are read, and seconds that are waited for them, so that its connection can be used again.
ANSWER_BYTES = 64 * 1024
ANSWER_SECONDS = 1.0

#: Answers that are worth another try although they blame the request: too slow, too many.
PATIENT_STATUS = frozenset({408, 429})

DELIVERED = Outcome(is_delivered=True, detail="")


class Provider(Protocol):
    """What a channel sends through."""

    def send(self, message: Message, address: Address) -> Outcome:
        """Hand the message over once and tell what came of it."""
        ...


def signature(secret: str, body: bytes, unix: int) -> str:
    """The value of `Wangge-Signature`: `t=<unix>,v1=<hex HMAC-SHA-256 of "<unix>.<body>" under the secret>`."""
    signed = hmac.new(secret.encode(), f"{unix}.".encode() + body, hashlib.sha256)
    return f"t={unix},v1={signed.hexdigest()}"


def failed(detail: str, is_permanent: bool = False) -> Outcome:
    """An outcome that is no delivery."""
    return Outcome(is_delivered=False, detail=detail, is_permanent=is_permanent)


class Webhook:
    """POSTs a message as JSON, signed where the contact has a secret. No redirect is followed, no proxy is used.

    Connections are kept for a receiver's next messages; one that it closed meanwhile is made anew.
    """

    def __init__(self, connections_each: int) -> None:
        self._pools = urllib3.PoolManager(
            num_pools=RECEIVERS,
            maxsize=connections_each,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            retries=False,
            ca_certs=certifi.where(),
        )

    def send(self, message: Message, address: Address) -> Outcome:
        """Any 2xx is delivered; a 4xx other than 408 and 429 will not get better by itself."""
        body = orjson.dumps(self.payload(message))
        try:
            headers = self._headers(message, address, body)
            answer = self._pools.request(
                "POST", address.address, body=body, headers=headers, redirect=False, preload_content=False
            )
        except urllib3.exceptions.HTTPError as error:
            return self._unreached(error)
        self._let_go(answer)
        return self._outcome(answer.status)

    @staticmethod
    def _let_go(answer: urllib3.BaseHTTPResponse) -> None:
        """Keep the connection where the rest of the answer is short and there; what it says is of no interest."""
        is_over = False
        try:
            with eventlet.Timeout(ANSWER_SECONDS, False):
                answer.read(ANSWER_BYTES, decode_content=False)
                is_over = not answer.read(1, decode_content=False)
        except urllib3.exceptions.HTTPError:
            is_over = False
        if not is_over:
            answer.close()
        answer.release_conn()

    @staticmethod
    def payload(message: Message) -> dict[str, Any]:
        """What the receiver reads."""
        return {
            "message_id": message.message_id,
            "event_id": message.event_id,
            "event_type": message.event_type,
            "correlation_id": message.correlation_id,
            "case_no": message.case_no,
            "report_code": message.report_code,
            "area": message.area,
            "recipient": message.recipient,
            "template": message.template,
            "urgent": message.is_urgent,
            "title": message.title,
            "text": message.text,
            "created_at": message.created_at,
        }

    @staticmethod
    def _headers(message: Message, address: Address, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"wangge-notify/{__version__}",
            "Wangge-Message-Id": message.message_id,
        }
        parts = urllib3.util.parse_url(address.address)
        if parts.scheme is None:
            raise urllib3.exceptions.URLSchemeUnknown("")
        if parts.auth:
            headers |= urllib3.util.make_headers(basic_auth=unquote(parts.auth))
        if address.secret:
            headers["Wangge-Signature"] = signature(address.secret, body, int(time.time()))
        return headers

    @staticmethod
    def _outcome(status: int) -> Outcome:
        if 200 <= status < 300:
            return DELIVERED
        return failed(f"HTTP {status}", is_permanent=300 <= status < 500 and status not in PATIENT_STATUS)

    @staticmethod
    def _unreached(error: urllib3.exceptions.HTTPError) -> Outcome:
        # the error's own text holds the address
        match error:
            case urllib3.exceptions.LocationValueError():
                return failed("the address is no http(s) address", is_permanent=True)
            case urllib3.exceptions.NewConnectionError():
                return failed("the connection failed")
            case urllib3.exceptions.ConnectTimeoutError():
                return failed(f"no connection within {CONNECT_SECONDS:g} s")
            case urllib3.exceptions.TimeoutError():
                return failed(f"no answer within {READ_SECONDS:g} s")
            case urllib3.exceptions.SSLError():
                return failed("the certificate was not accepted")
            case _:
                return failed("the connection failed")


@dataclass(frozen=True)
class Mail:
    """Sends a message as plain text (UTF-8) through one SMTP server; TLS wherever the server offers it."""

    settings: NotifySettings

    def send(self, message: Message, address: Address) -> Outcome:
        """Accepted by the server is delivered; a 5xx of its answers will not get better by itself."""
        if not self.settings.smtp_uri:
            return failed("no mail server is set (WANGGE_SMTP_URI)", is_permanent=True)
        try:
            letter = self.letter(message, address)
        except ValueError:
            return failed("the address is no mail address", is_permanent=True)
        try:
            with self._connected(urlsplit(self.settings.smtp_uri)) as server:
                server.send_message(letter)
        except (smtplib.SMTPException, OSError) as error:
            return self._refused(error)
        return DELIVERED

    def letter(self, message: Message, address: Address) -> EmailMessage:
        """The mail. Raises `ValueError` for an address that is none."""
        letter = EmailMessage()
        letter["From"] = self.settings.mail_from
        letter["To"] = address.address
        letter["Subject"] = " ".join(message.title.split())
        letter["Date"] = formatdate(message.created_at.timestamp())
        host = parseaddr(self.settings.mail_from)[1].rpartition("@")[2] or "localhost"
        letter["Message-ID"] = f"<{message.message_id}@{host}>"
        letter["Wangge-Message-Id"] = message.message_id
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(message.text, charset="utf-8")
        return letter

    @staticmethod
    def _connected(uri: SplitResult) -> smtplib.SMTP:
        host, timeout = uri.hostname or "localhost", READ_SECONDS
        if uri.scheme == "smtps":
            secured = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, uri.port or 465, timeout=timeout, context=secured)
        else:
            server = smtplib.SMTP(host, uri.port or 25, timeout=timeout)
            server.ehlo_or_helo_if_needed()
            if server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
        if uri.username:
            server.login(unquote(uri.username), unquote(uri.password or ""))
        return server

    @staticmethod
    def _refused(error: smtplib.SMTPException | OSError) -> Outcome:
        # the error's own text holds the address
        match error:
            case smtplib.SMTPRecipientsRefused(recipients=recipients):
                code = max((answer[0] for answer in recipients.values()), default=550)
                return failed(f"SMTP {code}: the recipient was refused", is_permanent=code >= 500)
            case smtplib.SMTPAuthenticationError():
                return failed("the mail server did not accept our login")
            case smtplib.SMTPResponseException(smtp_code=code):
                return failed(f"SMTP {code}", is_permanent=code >= 500)
            case smtplib.SMTPNotSupportedError():
                return failed("the mail server does not take this mail", is_permanent=True)
            case TimeoutError():
                return failed(f"no answer of the mail server within {READ_SECONDS:g} s")
            case _:
                return failed("the connection to the mail server failed")


def providers(settings: NotifySettings) -> Mapping[Channel, Provider]:
    """What each channel outside the house sends through."""
    return {Channel.WEBHOOK: Webhook(settings.deliveries_each), Channel.MAIL: Mail(settings)}
