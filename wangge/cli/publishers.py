"""The publishers of a local system: their RabbitMQ users, receipts queues, passwords and API keys.

A publisher may write to the exchange `incidents` and read its own receipts, nothing else.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import amqp
import requests

from wangge.chassis.topology import declare_receipts
from wangge.cli.errors import CommandFailed
from wangge.cli.local import Addresses
from wangge.cli.local.files import read_json, write_json
from wangge.cli.local.secrets import Secrets
from wangge.contracts.sites.intake import RESERVED

#: Seconds for one call of RabbitMQ's management API.
API_SECONDS = 30.0

#: What one login may hold open on the broker: enough for a program with a spare, too little to exhaust the broker.
MOST_CONNECTIONS = 20
MOST_CHANNELS = 100


@dataclass(frozen=True)
class Publisher:
    """What a publisher must know of itself to publish: its login, its CloudEvents source, its usual area."""

    login: str
    source: str
    area: str

    @classmethod
    def read(cls, directory: Path, login: str) -> Publisher:
        """The publisher that `add` noted.

        Raises:
            CommandFailed: there is none of this login.
        """
        found = read_json(_note(directory, login))
        if found is None:
            raise CommandFailed(
                f"There is no publisher {login} under {directory}: `wangge publisher add {login}`, or `wangge site apply`."
            )
        return cls(**found)


def _note(directory: Path, login: str) -> Path:
    return directory / "publishers" / f"{login}.json"


def _end_note(directory: Path, login: str) -> Path:
    return directory / "publishers" / f"{login}.ended"


def is_ended(directory: Path, login: str) -> bool:
    """Whether an operator ended this publisher and did not add it again."""
    return _end_note(directory, login).exists()


def password_of(directory: Path, login: str) -> str:
    """The publisher's password on the broker, made on first use."""
    return Secrets(directory / "secrets").password(f"publisher-{login}")


def api_key_of(directory: Path, login: str) -> str:
    """The publisher's API key for HTTP, made on first use."""
    return Secrets(directory / "secrets").password(f"publisher-{login}-key")


def api_key_digest(directory: Path, login: str) -> str:
    """What a site pack may say of the API key: its SHA-256."""
    return hashlib.sha256(api_key_of(directory, login).encode()).hexdigest()


def permissions_of(login: str) -> dict[str, str]:
    """Write incidents, read the own receipts; declare nothing.

    No topic permission besides: a message under a wrong routing key gets a receipt that says what is wrong with it,
    not a closed channel.
    """
    return {"configure": "^$", "write": "^incidents$", "read": rf"^receipts\.{login}$"}


def broker_url(addresses: Addresses, directory: Path, login: str) -> str:
    """The broker's address with the publisher's own login."""
    server = urlsplit(addresses.amqp_uri)
    return f"amqp://{login}:{quote(password_of(directory, login), safe='')}@{server.hostname}:{server.port or 5672}/%2F"


def add(addresses: Addresses, directory: Path, publisher: Publisher) -> None:
    """Make the publisher's login with its rights and its receipts queue; again changes nothing.

    Raises:
        CommandFailed: the login is somebody else's; the broker is away or says no.
    """
    login = publisher.login
    if login in RESERVED:
        raise CommandFailed(f"{login} is a login of the system itself: choose another.")
    manage(addresses, "PUT", f"/users/{login}", {"password": password_of(directory, login), "tags": ""})
    manage(addresses, "PUT", f"/permissions/%2F/{login}", permissions_of(login))
    for name, most in (("max-connections", MOST_CONNECTIONS), ("max-channels", MOST_CHANNELS)):
        manage(addresses, "PUT", f"/user-limits/{login}/{name}", {"value": most})
    with connection(addresses.amqp_uri) as admin, admin.channel() as channel:
        channel.exchange_declare("receipts", "topic", durable=True, auto_delete=False)
        declare_receipts(channel, login)
    write_json(_note(directory, login), asdict(publisher))
    _end_note(directory, login).unlink(missing_ok=True)


def rotate(addresses: Addresses, directory: Path, login: str) -> str:
    """Give the publisher another password and API key, and end its connections; answers the digest of the key.

    Should it fail half-way, do it again.
    """
    Publisher.read(directory, login)
    _forget_secrets(directory, login)
    manage(addresses, "PUT", f"/users/{login}", {"password": password_of(directory, login), "tags": ""})
    manage(addresses, "DELETE", f"/connections/username/{login}")
    return api_key_digest(directory, login)


def end(addresses: Addresses, directory: Path, login: str) -> None:
    """Take the publisher's login from the broker, which ends its connections; what waits in its receipts queue stays."""
    manage(addresses, "DELETE", f"/users/{login}")
    _forget_secrets(directory, login)
    _note(directory, login).unlink(missing_ok=True)
    write_json(_end_note(directory, login), {"login": login})


def _forget_secrets(directory: Path, login: str) -> None:
    for name in (f"publisher-{login}", f"publisher-{login}-key"):
        Secrets(directory / "secrets").forget(name)


def connection(url: str) -> amqp.Connection:
    """A connection to the broker; the path of the address names the virtual host (`//` or `/%2F`: the usual one)."""
    parts = urlsplit(url)
    vhost = unquote(parts.path[1:]) or "/"
    return amqp.Connection(
        host=f"{parts.hostname}:{parts.port or 5672}",
        userid=unquote(parts.username or "guest"),
        password=unquote(parts.password or "guest"),
        virtual_host=vhost,
        connect_timeout=10,
    )


def manage(addresses: Addresses, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Call RabbitMQ's management API as its administrator; what is not there is None.

    Raises:
        CommandFailed: it is away or says no.
    """
    admin = urlsplit(addresses.amqp_uri)
    credentials = (unquote(admin.username or ""), unquote(admin.password or ""))
    url = f"{addresses.management_url}/api{path}"
    try:
        answer = requests.request(method, url, json=body, auth=credentials, timeout=API_SECONDS)
        if answer.status_code == requests.codes.not_found:
            return None
        answer.raise_for_status()
        return answer.json() if answer.content else {}
    except requests.RequestException as failure:
        raise CommandFailed(
            f"RabbitMQ's management at {addresses.management_url} failed: {failure}"
        ) from failure
