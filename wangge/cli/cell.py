"""`wangge cell list | open | close`: which cells serve which areas, and handing areas over without losing anything."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from wangge.chassis.settings import read_area
from wangge.chassis.topology import HOME
from wangge.cli.api import Api, Refused, service_names
from wangge.cli.cells_seen import FOREIGN, Seen, find, held_elsewhere, live, require_service, seen
from wangge.cli.errors import CommandFailed
from wangge.cli.giving_back import give_back
from wangge.cli.local import DEFAULT_DIRECTORY
from wangge.cli.local.secrets import Secrets
from wangge.cli.management import STATISTICS_SECONDS, Lane, Management
from wangge.cli.options import Directory
from wangge.cli.tables import plain_table
from wangge.contracts.areas import overlapping

commands = typer.Typer(no_args_is_help=True, help="Cells: a service's queues and processes for some areas.")
console = Console()

#: Seconds for which messages may still reach a closing cell by the old bindings (WANGGE_HAND_OVER_SECONDS and a sweep).
LATE_SECONDS = 20.0

#: Seconds between looks while a hand-over goes on.
LOOK_SECONDS = 1.0

Service = Annotated[str, typer.Argument(help="The service: intake, dispatch, points or notify.")]
Name = Annotated[str, typer.Argument(help="The cell's name, as in WANGGE_CELL.")]
Areas = Annotated[str, typer.Option(help="Its areas, as codes or dotted words, separated by commas.")]
Wait = Annotated[float, typer.Option("--wait", help="Seconds to wait for the hand-over to end.")]


@commands.command("list")
def list_(
    service: Annotated[str | None, typer.Option(help="Only this service.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Show the cells of each service: areas, lanes, messages that are not settled, consumers, state."""
    api = Api.of_operator(directory)
    found = [cell for name in ([service] if service else service_names()) for cell in seen(api, name)]
    if as_json:
        print(json.dumps([asdict(cell) for cell in found], ensure_ascii=False, indent=2))
        return
    table = plain_table("service", "cell", "state", "areas", "lanes", "messages", "held back", "consumers")
    for cell in found:
        areas = ", ".join(cell.areas) or "the rest"
        table.add_row(
            cell.service, cell.name, cell.state, areas, str(len(cell.lanes)), str(cell.holds),
            str(cell.held_back), str(cell.consumers),
        )  # fmt: skip
    console.print(table)


@commands.command("open")
def open_(
    service: Service,
    name: Name,
    areas: Areas,
    lanes: Annotated[int, typer.Option(help="Its queues; the number never changes.")] = 4,
    login: Annotated[
        str | None,
        typer.Option(help="Make this login for a program of somebody else: its queues, its facts."),
    ] = None,
    wait: Wait = 300.0,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Let a cell take areas over from home. Its processes may be started before or after; a foreign one after."""
    api = Api.of_operator(directory)
    wanted = [area.strip() for area in areas.split(",") if area.strip()]
    _require_unclaimed(api, service, name, wanted)
    cell = api.call(service, "PUT", f"/v1/cells/{name}", {"areas": wanted, "lanes": lanes})
    if login:
        print(
            f"The password of {login} on the broker is in {make_login(api, directory, service, name, login)}."
        )
    _await(
        lambda: find(api, service, name).state == "open",
        wait,
        f"home has not worked off its messages within {wait:.0f} s. Nothing is lost: they go on to {name} "
        f"afterwards; look at `wangge cell list` (is a process of home running?).",
    )
    print(f"{service} {name} is open for {', '.join(cell['areas'])}; its queues: {', '.join(cell['queues'])}")
    print(
        f"Start a process of it: WANGGE_CELL={name} WANGGE_AREAS={','.join(cell['areas'])} WANGGE_LANES={lanes} "
        f"python -m services.{service}, or your own program on these queues."
    )


@commands.command("close")
def close(
    service: Service,
    name: Name,
    give_back_: Annotated[
        bool, typer.Option("--give-back", help="Nothing serves it any more: move its messages home.")
    ] = False,
    held_at: Annotated[
        str | None,
        typer.Option(
            help="API address of a process of a cell with a database of its own, to ask what it holds."
        ),
    ] = None,
    unasked: Annotated[
        bool, typer.Option("--unasked", help="It has no such API: what it holds itself stays with it.")
    ] = False,
    wait: Wait = 300.0,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Give a cell's areas back to home, let it work off what it has, then remove its queues.

    May be called again at any time; it goes on where it was.
    """
    api = Api.of_operator(directory)
    cell = find(api, service, name)
    if name != HOME:
        _require_served(cell, live(api, cell), give_back_)
        _require_told(api, cell, held_at, unasked)
    _close(api, cell, moves=give_back_, wait=wait)
    _remove(api, service, name)


def make_login(api: Api, directory: Path, service: str, name: str, login: str) -> Path:
    """A login that may read this cell's queues and tell the service's facts, nothing else; answers its password's file."""
    management, secrets = Management(api.addresses), Secrets(directory / "secrets")
    management.call("PUT", f"/users/{login}", {"password": secrets.password(f"cell-{login}"), "tags": ""})
    rights = {
        "configure": "^$",
        "write": rf"^{service}\.events$",
        "read": rf"^{service}\.{name}\.[0-9]+$",
    }
    management.call("PUT", f"/permissions/{management.vhost}/{login}", rights)
    return directory / "secrets" / f"cell-{login}"


def _require_unclaimed(api: Api, service: str, name: str, areas: list[str]) -> None:
    """What only the broker knows: cells with a database of their own. The register checks the others."""
    require_service(service)
    try:
        wanted = [read_area(area).code for area in areas]
    except ValueError:
        return  # the service answers with every wrong one
    for cell in seen(api, service):
        taken = (
            overlapping(wanted, [read_area(area).code for area in cell.areas]) if cell.name != name else []
        )
        if taken:
            raise CommandFailed(
                f"{', '.join(own for own, _ in taken)}: served by the cell {cell.name} already, so {name} cannot serve "
                f"it; `wangge cell close {service} {cell.name}` gives it back first."
            )


def _require_served(cell: Seen, lanes: list[Lane], moves: bool) -> None:
    consumers = sum(lane.consumers for lane in lanes)
    unattended = [lane for lane in lanes if lane.holds and not lane.consumers]
    if moves and consumers:
        raise CommandFailed(
            f"{consumers} consumers serve {cell.name}: they work off what it has, so close it without "
            f"--give-back; or stop its processes first."
        )
    if unattended and not moves:
        stuck = sum(lane.holds for lane in unattended)
        raise CommandFailed(
            f"{cell.name} holds {stuck} messages in {len(unattended)} queues that nothing consumes: start a "
            f"process of it, or move them home with `wangge cell close {cell.service} {cell.name} --give-back`. "
            f"Nothing was changed."
        )


def _require_told(api: Api, cell: Seen, held_at: str | None, unasked: bool) -> None:
    """A cell on another database may hold events there that nobody gives back."""
    if cell.is_shared or cell.state == "empty" or unasked:
        return
    if held_at is None:
        raise CommandFailed(
            f"{cell.name} does not share {cell.service}'s database: events that it holds itself (deferred, "
            f"quarantined) do not come back with its areas. Give --held-at <address of its API> to have them counted, "
            f"or --unasked if it has none. Nothing was changed."
        )
    held = held_elsewhere(api, held_at)
    if held:
        raise CommandFailed(
            f"{cell.name} holds {held} deferred or quarantined events in its own database: replay or drop them there "
            f"first (GET {held_at}/v1/held). Nothing was changed."
        )


def _close(api: Api, cell: Seen, *, moves: bool, wait: float) -> None:
    service, name = cell.service, cell.name
    if cell.state == FOREIGN:
        raise CommandFailed(
            f"{name} opened itself on a database of its own; home does not know it. Open it first, which changes "
            f"nothing for it: `wangge cell open {service} {name} --areas {','.join(cell.areas)} --lanes "
            f"{len(cell.lanes)}`, then close it."
        )
    if cell.state == "empty":
        return
    api.call(service, "POST", f"/v1/cells/{name}/close")
    if moves:
        _move_home(api, service, name, wait)
    elif not cell.is_shared:
        _await_settled(api, service, name, wait)
        api.call(service, "POST", f"/v1/cells/{name}/emptied")
    _await(
        lambda: find(api, service, name).state == "empty",
        wait,
        f"{name} has not worked off its messages within {wait:.0f} s. Nothing is lost: home holds back what comes "
        f"after them. Look at `wangge cell list`, then close it again.",
    )
    print(f"{service} {name} has given {', '.join(cell.areas)} back to home.")


def _move_home(api: Api, service: str, name: str, wait: float) -> None:
    """Once nothing is routed to the cell any more, move what it holds."""
    moved = 0
    management = Management(api.addresses)
    _await(lambda: name not in management.claims(service), wait, f"{name} keeps its areas: is home running?")
    until = time.monotonic() + LATE_SECONDS
    while True:
        moved += give_back(management, service, name, [lane.name for lane in find(api, service, name).lanes])
        if time.monotonic() > until:
            break
        time.sleep(LOOK_SECONDS)
    api.call(service, "POST", f"/v1/cells/{name}/emptied")
    print(f"{moved} messages of {name} were moved home.")


def _await_settled(api: Api, service: str, name: str, wait: float) -> None:
    """Seen empty, delivered messages included, for longer than the broker's figures may be old."""
    empty_since: list[float] = []

    def is_settled() -> bool:
        if find(api, service, name).holds:
            empty_since.clear()
        else:
            empty_since.append(time.monotonic())
        return bool(empty_since) and time.monotonic() - empty_since[0] > 2 * STATISTICS_SECONDS

    _await(is_settled, wait, f"{name} still holds messages after {wait:.0f} s: is its program running?")


def _remove(api: Api, service: str, name: str) -> None:
    try:
        api.call(service, "DELETE", f"/v1/cells/{name}")
    except Refused as refused:
        if refused.code != "cell.attended":
            raise
        print(
            f"Its processes still run: stop them, then `wangge cell close {service} {name}` removes its queues."
        )
        return
    print(f"The queues of {service} {name} are removed.")


def _await(is_done: Callable[[], bool], seconds: float, otherwise: str) -> None:
    until = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > until:
            raise CommandFailed(otherwise)
        time.sleep(LOOK_SECONDS)
