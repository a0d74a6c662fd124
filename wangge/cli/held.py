"""`wangge held list | show | replay | drop`: what services could not process, and what an operator decides on it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from wangge.cli.api import Api, service_names
from wangge.cli.clock import CHINA
from wangge.cli.errors import CommandFailed
from wangge.cli.local import DEFAULT_DIRECTORY
from wangge.cli.options import Directory
from wangge.cli.tables import plain_table

commands = typer.Typer(
    no_args_is_help=True, help="Events that a service could not process: look, replay, drop."
)
console = Console()

WAITING = ("deferred", "quarantined")
"""The states in which something is still to come: another try, or an operator's decision."""

Service = Annotated[str, typer.Argument(help="The service that holds it.")]
Held = Annotated[int, typer.Argument(help="The number that `wangge held list` shows.")]


@commands.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="deferred, quarantined, done or dropped.")] = None,
    service: Annotated[str | None, typer.Option(help="Only this service.")] = None,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """List held events of all services, oldest first: those that wait for something, or those of a state."""
    api = Api.of_operator(directory)
    states = [state] if state else WAITING
    table = plain_table("service", "id", "state", "type", "from", "cause", "tries", "held at")
    for name in [service] if service else service_names():
        for row in (row for each in states for row in api.all(name, "/v1/held", state=each)):
            table.add_row(
                name,
                str(row["id"]),
                row["state"],
                row["type"],
                row.get("origin") or row["source"],
                row["cause"],
                str(row["attempts"]),
                f"{datetime.fromisoformat(row['held_at']).astimezone(CHINA):%m-%d %H:%M:%S}",
            )
    console.print(table if table.row_count else "Nothing is held.")


@commands.command("show")
def show(service: Service, held_id: Held, directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Show one held event, whole, as JSON."""
    row = Api.of_operator(directory).call(service, "GET", f"/v1/held/{held_id}")
    print(json.dumps(row, ensure_ascii=False, indent=2))


@commands.command("replay")
def replay(
    service: Service,
    held_id: Held,
    body: Annotated[Path | None, typer.Option(help="A file with the corrected message.")] = None,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Try a quarantined event again, as it was or corrected; its id stays the same."""
    try:
        corrected = {"body": body.read_text(encoding="utf-8")} if body else {}
    except OSError as away:
        raise CommandFailed(f"{body} cannot be read: {away.strerror}.") from away
    row = Api.of_operator(directory).call(service, "POST", f"/v1/held/{held_id}/replay", corrected)
    print(f"{service} {held_id}: {row['state']}")


@commands.command("drop")
def drop(
    service: Service,
    held_id: Held,
    reason: Annotated[str, typer.Option(help="Why it is given up; it is kept with the event.")],
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Give a quarantined event up."""
    row = Api.of_operator(directory).call(service, "POST", f"/v1/held/{held_id}/drop", {"reason": reason})
    print(f"{service} {held_id}: {row['state']}")
