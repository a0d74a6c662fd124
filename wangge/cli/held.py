"""`wangge held groups | list | show | edit | replay | drop`: what services could not process, and what is done about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from rich.console import Console

from wangge.cli.api import Api, service_names
from wangge.cli.clock import CHINA
from wangge.cli.errors import CommandFailed
from wangge.cli.local import DEFAULT_DIRECTORY
from wangge.cli.options import Directory
from wangge.cli.tables import plain_table

commands = typer.Typer(
    no_args_is_help=True,
    help="Events that a service could not process: look at them by cause and sender, correct, replay, drop.",
)
console = Console()

WAITING = ("deferred", "in_transit", "quarantined")
"""The states in which something is still to come: another try, the end of a hand-over, an operator's decision."""

UNKNOWN = "unknown"
"""How the sender of a message is called that names none."""

Service = Annotated[str, typer.Argument(help="The service that holds it.")]
OneService = Annotated[str | None, typer.Option("--service", help="Only this service.")]
Held = Annotated[int, typer.Argument(help="The number that `wangge held list` shows.")]
OneHeld = Annotated[int | None, typer.Argument(help="The number of one; without it a group is meant.")]
Group = Annotated[
    str | None, typer.Option("--group", help="The fingerprint that `wangge held groups` shows.")
]
OfPublisher = Annotated[
    str | None, typer.Option("--publisher", help="A login, a source, or `unknown`: only what it sent.")
]


@commands.command("groups")
def groups(
    service: OneService = None, publisher: OfPublisher = None, directory: Directory = DEFAULT_DIRECTORY
) -> None:
    """Show the quarantined events of all services by cause and sender, the largest group first."""
    api = Api.of_operator(directory)
    table = plain_table("service", "group", "events", "from", "cause", "fields", "first", "last", "example")
    found = [
        (name, row)
        for name in _services(service)
        for sender in _senders(api, publisher)
        for row in api.all(name, "/v1/held/groups", sender=sender)
    ]
    for name, row in sorted(found, key=lambda each: -each[1]["count"]):
        table.add_row(
            name,
            row["fingerprint"],
            str(row["count"]),
            row["sender"] or UNKNOWN,
            row["cause"],
            " ".join(row["fields"]),
            _moment(row["first_at"]),
            _moment(row["last_at"]),
            str(row["example_id"]),
        )
    console.print(table if table.row_count else "Nothing is in quarantine.")


@commands.command("list")
def list_(
    state: Annotated[
        str | None, typer.Option(help="deferred, in_transit, quarantined, done or dropped.")
    ] = None,
    service: OneService = None,
    group: Group = None,
    publisher: OfPublisher = None,
    message: Annotated[str | None, typer.Option(help="The id under which its sender knows it.")] = None,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """List held events of all services, oldest first: those that wait for something, or those of a state."""
    api = Api.of_operator(directory)
    states = [state] if state else WAITING if message is None else [None]
    table = plain_table("service", "id", "state", "type", "from", "message", "cause", "tries", "held at")
    for name in _services(service):
        for row in _rows(api, name, states, group, publisher, message):
            table.add_row(
                name,
                str(row["id"]),
                row["state"],
                row["type"],
                row["sender"] or UNKNOWN,
                row["message_id"],
                row["cause"],
                str(row["attempts"]),
                _moment(row["held_at"]),
            )
    console.print(table if table.row_count else "Nothing is held.")


def _rows(
    api: Api, name: str, states: Any, group: str | None, publisher: str | None, message: str | None
) -> Iterator[dict[str, Any]]:
    for state in states:
        for sender in _senders(api, publisher):
            asked = {"state": state, "fingerprint": group, "sender": sender, "message_id": message}
            yield from api.all(name, "/v1/held", **asked)


@commands.command("show")
def show(service: Service, held_id: Held, directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Show one held event, whole and with what operators did, as JSON."""
    row = Api.of_operator(directory).call(service, "GET", f"/v1/held/{held_id}")
    print(json.dumps(row, ensure_ascii=False, indent=2))


@commands.command("edit")
def edit(
    service: Service,
    held_id: Held,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the body before and after.")],
    body: Annotated[
        Path | None, typer.Option(help="A file with the corrected message; else an editor opens.")
    ] = None,
    replay: Annotated[bool, typer.Option("--replay", help="Try it again at once.")] = False,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Correct a quarantined message. Its id, its source and its actor stay: it stays its sender's."""
    api = Api.of_operator(directory)
    corrected = _read(body) if body else _edited(api, service, held_id)
    edited = {"body": corrected, "reason": reason}
    row = api.call(service, "POST", f"/v1/held/{held_id}/edit", edited)
    if replay:
        row = api.call(service, "POST", f"/v1/held/{held_id}/replay", {})
    print(f"{service} {held_id}: {row['state']}, corrected")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as away:
        raise CommandFailed(f"{path} cannot be read: {away.strerror}.") from away


def _edited(api: Api, service: str, held_id: int) -> str:
    before = api.call(service, "GET", f"/v1/held/{held_id}")["body"]
    try:
        shown = json.dumps(json.loads(before), ensure_ascii=False, indent=2)
    except ValueError:
        shown = before
    after = click.edit(shown, extension=".json")
    if after is None or after == shown:
        raise CommandFailed("The message was not changed, so nothing was sent.")
    return after


@commands.command("replay")
def replay(
    service: Service,
    held_id: OneHeld = None,
    group: Group = None,
    publisher: OfPublisher = None,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Try a quarantined event, or a group of them, again; ids stay the same. Asked again, it changes nothing."""
    api = Api.of_operator(directory)
    if held_id is None:
        _act_on_many(api, service, "replay", _chosen(api, group, publisher))
        return
    row = api.call(service, "POST", f"/v1/held/{held_id}/replay", {})
    print(
        f"{service} {held_id}: {row['state']}" + ("" if row["is_changed"] else ", it is being tried already")
    )


@commands.command("drop")
def drop(
    service: Service,
    reason: Annotated[str, typer.Option(help="Why it is given up; its sender is told.")],
    held_id: OneHeld = None,
    group: Group = None,
    publisher: OfPublisher = None,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Give a quarantined event, or a group of them, up."""
    api = Api.of_operator(directory)
    if held_id is None:
        chosen = [{**each, "reason": reason} for each in _chosen(api, group, publisher)]
        _act_on_many(api, service, "drop", chosen)
        return
    row = api.call(service, "POST", f"/v1/held/{held_id}/drop", {"reason": reason})
    print(f"{service} {held_id}: {row['state']}")


def _chosen(api: Api, group: str | None, publisher: str | None) -> list[dict[str, Any]]:
    if group is None and publisher is None:
        raise CommandFailed("Say which: a number, --group, --publisher, or both of these.")
    return [
        {name: value for name, value in (("fingerprint", group), ("sender", sender)) if value is not None}
        for sender in _senders(api, publisher)
    ]


def _act_on_many(api: Api, service: str, command: str, chosen: list[dict[str, Any]]) -> None:
    """Act portion by portion until all were looked at once; what was refused is named."""
    acted = left = 0
    named: list[dict[str, Any]] = []
    for each in chosen:
        after: int | None = 0
        while after is not None:
            answer = api.call(service, "POST", f"/v1/held/{command}", {**each, "after": after})
            acted += answer["acted"]
            named += answer["named"]
            after = answer["after"]
        left += answer["left"]
    print(
        f"{service}: {command} {acted}, {left} still in quarantine"
        + ("" if acted else ": nothing was changed")
    )
    for one in named:
        print(f"  {one['id']} {one['code']}: {one['detail']}")


def _senders(api: Api, publisher: str | None) -> list[str | None]:
    """Under which names the messages of a publisher are held: its login, or its source where it sends without."""
    if publisher is None:
        return [None]
    if publisher == UNKNOWN:
        return [""]
    known = api.all("intake", "/v1/publishers")
    return [publisher, *(row["source"] for row in known if row["login"] == publisher)]


def _services(service: str | None) -> list[str]:
    return [service] if service else service_names()


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(CHINA):%m-%d %H:%M:%S}"
