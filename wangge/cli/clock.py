"""`wangge clock show | set | advance | release`: moves the time of all services, where they were started movable."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from wangge.cli.api import answer_of
from wangge.cli.errors import CommandFailed
from wangge.cli.local import DEFAULT_DIRECTORY, Addresses
from wangge.cli.options import Directory

commands = typer.Typer(
    no_args_is_help=True, help="The services' clock: show it, and move it where that is allowed."
)

CHINA = ZoneInfo("Asia/Shanghai")


def move(addresses: Addresses, wish: dict[str, Any]) -> None:
    """Ask every process of every service to move its clock.

    Raises:
        CommandFailed: one refused, as they do unless started with a movable clock, or is away.
    """
    for service in addresses.services:
        answer_of("PUT", f"{service.health_url.rstrip('/')}/clock", f"{service.name} PUT /clock", json=wish)


def instant(text: str) -> datetime:
    """An RFC 3339 instant; without an offset it is meant in Asia/Shanghai.

    Raises:
        CommandFailed: it is none.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as wrong:
        raise CommandFailed(f"{text} is no instant; write for example 2023-09-14T19:00:00+08:00.") from wrong
    return at if at.tzinfo else at.replace(tzinfo=CHINA)


@commands.command("show")
def show(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Show the time of each service."""
    for service in Addresses.read(directory).services:
        seen = answer_of("GET", f"{service.health_url.rstrip('/')}/clock", f"{service.name} GET /clock")
        now = datetime.fromisoformat(seen["now"]).astimezone(CHINA)
        kind = "stands still" if seen.get("stands_at") else "runs"
        print(f"{service.name:<10} {now:%Y-%m-%d %H:%M:%S} {kind}")


@commands.command("set")
def set_(
    at: Annotated[str, typer.Argument(help="An instant, for example 2023-09-14T19:00:00+08:00.")],
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Let the clock stand still at an instant."""
    move(Addresses.read(directory), {"set": instant(at).isoformat()})
    show(directory)


@commands.command("advance")
def advance(
    seconds: Annotated[float, typer.Argument(min=0, help="By how many seconds.")],
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Move the clock on."""
    move(Addresses.read(directory), {"advance": seconds})
    show(directory)


@commands.command("release")
def release(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Let the clock run with the machine's again."""
    move(Addresses.read(directory), {"release": True})
    show(directory)
