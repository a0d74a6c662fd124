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

#: Seconds for one call of RabbitMQ's management API.
API_SECONDS = 30.0


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
        found = read_json(directory / "publishers" / f"{login}.json")
        if found is None:
            raise CommandFailed(
                f"There is no publisher {login} under {directory}: `wangge publisher add {login}`, or `wangge site apply`."
            )
        return cls(**found)


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
    """Write incidents, read the own receipts; declare nothing."""
    return {"configure": "^$", "write": "^incidents$", "read": rf"^receipts\.{login}$"}


def broker_url(addresses: Addresses, directory: Path, login: str) -> str:
    """The broker's address with the publisher's own login."""
    server = urlsplit(addresses.amqp_uri)
    return f"amqp://{login}:{quote(password_of(directory, login), safe='')}@{server.hostname}:{server.port or 5672}/%2F"


def add(addresses: Addresses, directory: Path, publisher: Publisher) -> None:
    """Make the publisher's login with its rights and its receipts queue; again changes nothing.

    Raises:
        CommandFailed: the broker is away or says no.
    """
    password = password_of(directory, publisher.login)
    _manage(addresses, f"/users/{publisher.login}", {"password": password, "tags": ""})
    _manage(addresses, f"/permissions/%2F/{publisher.login}", permissions_of(publisher.login))
    with connection(addresses.amqp_uri) as admin, admin.channel() as channel:
        channel.exchange_declare("receipts", "topic", durable=True, auto_delete=False)
        declare_receipts(channel, publisher.login)
    write_json(directory / "publishers" / f"{publisher.login}.json", asdict(publisher))


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


def _manage(addresses: Addresses, path: str, body: dict[str, Any]) -> None:
    admin = urlsplit(addresses.amqp_uri)
    credentials = (unquote(admin.username or ""), unquote(admin.password or ""))
    try:
        answer = requests.put(
            f"{addresses.management_url}/api{path}", json=body, auth=credentials, timeout=API_SECONDS
        )
        answer.raise_for_status()
    except requests.RequestException as failure:
        raise CommandFailed(
            f"RabbitMQ's management at {addresses.management_url} failed: {failure}"
        ) from failure
