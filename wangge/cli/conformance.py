"""`wangge conformance <service>`: plays the contract against whatever claims to be the service, and reports."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from wangge.chassis.errors import Permanent
from wangge.chassis.seal import seal
from wangge.chassis.settings import read_area
from wangge.chassis.topology import HOME
from wangge.cli import packs
from wangge.cli.cells_seen import require_service
from wangge.cli.errors import CommandFailed
from wangge.cli.local import DEFAULT_DIRECTORY, Addresses
from wangge.cli.management import Management
from wangge.cli.options import Directory
from wangge.conformance.bench import Bench
from wangge.conformance.report import Verdict, run
from wangge.conformance.samples import Samples

commands = typer.Typer()


@commands.command("conformance")
def conformance(
    service: Annotated[str, typer.Argument(help="What it claims to be: intake, dispatch, points or notify.")],
    area: Annotated[str, typer.Option(help="A test area of the cell: examples happen there.")],
    cell: Annotated[str, typer.Option(help="The cell that it serves.")] = HOME,
    site: Annotated[
        Path | None, typer.Option(help="The site pack of the area: its categories and people are used.")
    ] = None,
    health: Annotated[str | None, typer.Option(help="Address of its health port, where it has one.")] = None,
    seconds: Annotated[float, typer.Option(help="How long it may take to acknowledge or tell.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON lines, for programs.")] = False,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Play the contract against a cell in a test area, and say point by point what holds; exits 1 where one does not.

    It sends valid, repeated, disordered and broken examples to the cell's own queues. Run it before people rely on the
    cell: what it tells of the examples is told.
    """
    require_service(service)
    bench = Bench(
        Management(Addresses.read(directory)),
        service,
        cell,
        _samples(directory, area, site),
        health_url=health,
        seconds=seconds,
    )
    failed = 0
    for result in run(bench):
        failed += result.verdict is Verdict.FAIL
        if as_json:
            print(json.dumps(asdict(result), ensure_ascii=False), flush=True)
        else:
            reason = f": {result.reason}" if result.reason else ""
            print(f"{result.verdict:5} {result.point:24} {result.demands}{reason}", flush=True)
    if failed:
        raise typer.Exit(1)


def _samples(directory: Path, area: str, site: Path | None) -> Samples:
    try:
        samples = Samples(read_area(area).code, str(time.time_ns() // 1_000_000))
    except ValueError as wrong:
        raise CommandFailed(f"--area {area}: {wrong}.") from wrong
    try:
        # a contact without an address: what is told of it goes to an inbox and nowhere else
        samples.sealed = seal(Path(Addresses.read(directory).keys_dir), "notify", {})
    except Permanent:
        samples.sealed = ""
    if site is not None:
        pack = packs.read(site)
        members = pack.parts["points"].value.get("members") or [{}]
        samples.person = str(members[0].get("person_id", samples.person))
        units = pack.parts["intake"].value.get("units") or [{}]
        samples.unit = str(units[0].get("unit_id", samples.unit))
        categories = [row["code"] for row in pack.parts["dispatch"].value.get("categories", ())]
        if categories and samples.category not in categories:
            samples.category = str(categories[0])
    return samples
