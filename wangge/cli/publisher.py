"""`wangge publisher add | list | show | rotate | end | manifest`: the outside systems that may publish incidents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from wangge.cli import publishers
from wangge.cli.api import Api, Refused
from wangge.cli.clock import CHINA
from wangge.cli.errors import CommandFailed
from wangge.cli.local import DEFAULT_DIRECTORY, Addresses
from wangge.cli.options import Directory
from wangge.cli.publishers import Publisher
from wangge.cli.tables import plain_table
from wangge.contracts.digests import digest_of

commands = typer.Typer(no_args_is_help=True, help="The outside systems that may publish incidents.")
console = Console()

#: Ids of one kind that a comparison prints; the others are counted.
NAMED = 20

Login = Annotated[str, typer.Argument(help="Its login on the broker.")]


@commands.command("add")
def add(
    login: Login,
    source: Annotated[str, typer.Option(help="The CloudEvents source that it writes.")],
    area: Annotated[str, typer.Option(help="The area that it reports from where a report names none.")],
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Make a publisher's login: it may write incidents and read its own receipts."""
    publishers.add(Addresses.read(directory), directory, Publisher(login, source, area))
    console.print(f"{login} can publish; its password is in {directory}/secrets/publisher-{login}.")


@commands.command("list")
def list_(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """List the publishers of all sites with what they may send."""
    table = plain_table("login", "name", "site", "areas", "a day", "a minute", "status")
    for row in Api.of_operator(directory).all("intake", "/v1/publishers"):
        limits = (_limit(row["quota_per_day"]), _limit(row["pace_per_minute"]))
        table.add_row(row["login"], row["name"], row["site"], " ".join(row["areas"]), *limits, row["status"])
    console.print(table if table.row_count else "There are no publishers.")


@commands.command("show")
def show(login: Login, directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Show one publisher: what it may send, whether it is on the broker, what became of today's messages."""
    api = Api.of_operator(directory)
    row = api.call("intake", "GET", f"/v1/publishers/{login}")
    on_broker = publishers.manage(api.addresses, "GET", f"/users/{login}") is not None
    console.print(f"{login} {row['name']} ({row['site']}), {row['status']}")
    console.print(
        f"  source    {row['source']}" + ("" if row["user_id_required"] else " (without user_id, too)")
    )
    console.print(f"  channels  {', '.join(row['channels'])}")
    console.print(f"  areas     {', '.join(row['areas'])}")
    console.print(
        f"  limits    {_limit(row['quota_per_day'])} a day, {_limit(row['pace_per_minute'])} a minute"
    )
    console.print(f"  broker    {'has its login' if on_broker else 'does not know it'}")
    _show_manifest(_manifest(api, login, f"{datetime.now(CHINA):%Y-%m-%d}"))


@commands.command("rotate")
def rotate(login: Login, directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Give a publisher a new password and API key; the old ones and its open connections end at once."""
    api = Api.of_operator(directory)
    digest = publishers.rotate(api.addresses, directory, login)
    api.call("intake", "PUT", f"/v1/publishers/{login}/api-key", {"api_key_sha256": digest})
    console.print(f"{login} has a new password and API key: {directory}/secrets/publisher-{login} and …-key.")


@commands.command("end")
def end(login: Login, directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Take nothing more of a publisher: its login and API key end at once, its receipts stay."""
    api = Api.of_operator(directory)
    try:
        api.call("intake", "POST", f"/v1/publishers/{login}/end", {})
    except Refused as refused:
        if refused.status != 404:  # one that was added and never stood in a pack
            raise
    publishers.end(api.addresses, directory, login)
    console.print(
        f"{login} is ended. Take it out of its site pack, too: `wangge site apply` refuses it there."
    )


@commands.command("manifest")
def manifest(
    login: Annotated[str, typer.Argument(help="Its login; `unknown`: messages of senders nobody knows.")],
    date: Annotated[str, typer.Argument(help="A day in Asia/Shanghai, for example 2026-03-01.")],
    ids: Annotated[
        Path | None, typer.Option(help="The publisher's own list, one message id a line: compare with it.")
    ] = None,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Show what became of a publisher's day; with its own list, name what differs (exit status 1)."""
    own = _read_ids(ids) if ids else None
    api = Api.of_operator(directory)
    found = _manifest(api, login, date)
    _show_manifest(found)
    if own is None:
        return
    if digest_of(own) == found["digest"]:
        console.print(f"The list agrees: {len(own)} messages, the same digest.")
        return
    difference = compare(api, login, date, own)
    _show_difference(difference)
    raise typer.Exit(1)


@dataclass(frozen=True)
class Difference:
    """What of a publisher's own list is not of this day here, and what of this day is not in its list."""

    elsewhere: dict[str, str]
    missing: Sequence[str]
    unlisted: dict[str, str]


def compare(api: Api, login: str, date: str, own: set[str]) -> Difference:
    """Look every differing message up: it may have come on another day, or never."""
    here = {
        row["message_id"]: row["outcome"]
        for row in api.all("intake", f"/v1/publishers/{login}/manifest/{date}/messages")
    }
    looked_up = {one: _outcome(api, login, one) for one in sorted(own - here.keys())}
    return Difference(
        elsewhere={one: outcome for one, outcome in looked_up.items() if outcome},
        missing=[one for one, outcome in looked_up.items() if not outcome],
        unlisted={one: outcome for one, outcome in here.items() if one not in own},
    )


def _outcome(api: Api, login: str, message_id: str) -> str:
    try:
        receipt = api.call("intake", "GET", f"/v1/receipts/{login}/{quote(message_id, safe='')}")
    except Refused as refused:
        if refused.status == 404:
            return ""
        raise
    return str(receipt["outcome"])


def _read_ids(path: Path) -> set[str]:
    try:
        return {line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()}
    except OSError as away:
        raise CommandFailed(f"{path} cannot be read: {away.strerror}.") from away


def _manifest(api: Api, login: str, date: str) -> dict[str, Any]:
    found: dict[str, Any] = api.call("intake", "GET", f"/v1/publishers/{login}/manifest/{date}")
    return found


def _show_manifest(found: dict[str, Any]) -> None:
    over = "" if found["is_over"] else ", so far"
    table = plain_table(
        "outcome", "messages", "received", "digest", title=f"{found['publisher']} {found['date']}{over}"
    )
    for part in [*found["outcomes"], {**found, "outcome": "all"}]:
        table.add_row(part["outcome"], str(part["messages"]), str(part["received"]), part["digest"])
    console.print(table)


def _show_difference(difference: Difference) -> None:
    for heading, lines in (
        ("sent, and never arrived: send them again", difference.missing),
        ("sent, and received on another day", _told(difference.elsewhere)),
        ("received on this day, and not in the list", _told(difference.unlisted)),
    ):
        if lines:
            console.print(f"{len(lines)} {heading}:")
            for line in _some(lines):
                console.print(f"  {line}")


def _told(outcomes: dict[str, str]) -> list[str]:
    return [f"{message_id} {outcome}" for message_id, outcome in outcomes.items()]


def _some(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:NAMED]
    if len(lines) > NAMED:
        yield f"… and {len(lines) - NAMED} more"


def _limit(most: int | None) -> str:
    return "any" if most is None else str(most)
