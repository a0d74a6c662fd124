"""`wangge up | down | status | run`: the whole system on this machine, started, stopped and looked at."""

import json
import signal
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from wangge.cli.errors import CommandFailed
from wangge.cli.local import DEFAULT_DIRECTORY, SERVICES, Addresses, LocalSystem, debian, usual_ports
from wangge.cli.local.addresses import FILE
from wangge.cli.local.status import PartStatus, look_at

commands = typer.Typer()
console = Console()

Directory = Annotated[
    Path, typer.Option("--directory", help="Where the system keeps its data, logs, keys and addresses.")
]
MovableClock = Annotated[
    bool | None,
    typer.Option("--movable-clock/--real-clock", help="Whether `wangge clock` may move the services' time."),
]


class Only(StrEnum):
    """The part of a system that `up` can be limited to."""

    SERVERS = "servers"


@commands.command()
def up(
    directory: Directory = DEFAULT_DIRECTORY,
    only: Annotated[Only | None, typer.Option(help="Start the servers without the services.")] = None,
    movable_clock: MovableClock = None,
) -> None:
    """Start the servers and services that do not run yet, and say where they are."""
    start(directory, () if only is Only.SERVERS else tuple(SERVICES), movable_clock)
    _show(look_at(LocalSystem(directory)))


@commands.command()
def down(
    directory: Directory = DEFAULT_DIRECTORY,
    erase: Annotated[bool, typer.Option("--erase", help="Remove the data, too.")] = False,
) -> None:
    """Stop the services, then the servers; the data stay, unless --erase."""
    if not directory.exists():
        console.print(f"Nothing to stop: there is no {directory}.")
        return
    stop(directory)
    if erase:
        LocalSystem(directory).erase()
        console.print(f"{directory} and its data are gone.")


@commands.command()
def status(
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: Annotated[bool, typer.Option("--json", help="All addresses, with passwords.")] = False,
) -> None:
    """Show every part, its address and whether it can work; exit status 1 when one cannot."""
    addresses = Addresses.read(directory)
    parts = look_at(LocalSystem(directory))
    if as_json:
        states = {part.name: asdict(part) | {"is_running": part.is_running} for part in parts}
        print(json.dumps(addresses.as_dict() | {"states": states}, ensure_ascii=False, indent=2))
    else:
        _show(parts)
    if not all(part.is_ready for part in parts):
        raise typer.Exit(1)


@commands.command()
def run(directory: Directory = DEFAULT_DIRECTORY, movable_clock: MovableClock = None) -> None:
    """Start everything, show the demo going round, and stop everything at Ctrl-C; the data stay."""
    signal.signal(signal.SIGHUP, signal.default_int_handler)  # a closed terminal is a Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        start(directory, tuple(SERVICES), movable_clock)
        _show(look_at(LocalSystem(directory)))
        from wangge.cli import demo  # only here: the demo needs more than starting and stopping does

        demo.follow(directory)
    except KeyboardInterrupt:
        console.print("\nStopping; the data stay.")
    finally:
        stop(directory)


def start(directory: Path, services: tuple[str, ...], movable_clock: bool | None) -> Addresses:
    """Start what does not run yet; get the servers' packages first where they are missing.

    Raises:
        CommandFailed: a part did not come up, or services already run with the other kind of clock.
    """
    system = LocalSystem(directory, services, _clock_for(directory, movable_clock), usual_ports())
    with system.exclusively(), console.status("Starting PostgreSQL, RabbitMQ and Redis …") as progress:
        installed = debian.install_missing()
        if installed:
            console.print(f"Installed Debian's packages {', '.join(installed)}.")
        system.start_servers()
        if services:
            progress.update(f"Starting {', '.join(services)} …")
            system.start()
    return system.addresses


def stop(directory: Path) -> None:
    """Stop whatever runs under this directory."""
    system = LocalSystem(directory)
    with system.exclusively(), console.status("Stopping the services, then the servers …"):
        system.stop()
    console.print(f"Everything under {directory} is stopped.")


def _clock_for(directory: Path, wished: bool | None) -> bool:
    """The kind of clock to start with: the wish, else that of the services that run, else the real one."""
    running = any(service.process.pid for service in LocalSystem(directory).wanted_services())
    if not running or not (directory / FILE).exists():
        return bool(wished)
    present = Addresses.read(directory).movable_clock
    if wished is not None and wished != present:
        kind = "a movable" if present else "the real"
        raise CommandFailed(f"The services run with {kind} clock: `wangge down` first to change that.")
    return present


def _show(parts: list[PartStatus]) -> None:
    table = Table("what", "address", "process", "state", "ready", box=None, header_style="bold")
    for part in parts:
        state = "[green]running[/]" if part.is_running else "[red]down[/]"
        ready = "[green]yes[/]" if part.is_ready else "[red]no[/]"
        table.add_row(part.name, part.address, str(part.pid or "-"), state, ready)
    console.print(table)
