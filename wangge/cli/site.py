"""`wangge site check | apply`: names every mistake of a site pack, and hands each service its part of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from wangge.cli import packs, publishers
from wangge.cli.api import Api
from wangge.cli.errors import CommandFailed
from wangge.cli.local import DEFAULT_DIRECTORY
from wangge.cli.options import Directory
from wangge.cli.tables import plain_table
from wangge.contracts.sites import PARTS, with_revision

commands = typer.Typer(no_args_is_help=True, help="Site packs: a community's whole model as data.")
console = Console()

Folder = Annotated[Path, typer.Argument(help="The folder of the pack, for example sites/hexixijie.")]


@dataclass(frozen=True)
class Applied:
    """What a service said of its part."""

    service: str
    revision: str
    changed: dict[str, int]

    @property
    def is_new(self) -> bool:
        """Whether anything changed."""
        return any(self.changed.values())


def checked(folder: Path) -> packs.Pack:
    """The pack in this folder.

    Raises:
        CommandFailed: it has mistakes; the text names each with file and line.
    """
    pack, mistakes, _ = look(folder)
    if mistakes:
        raise CommandFailed("the site pack has mistakes\n" + "\n".join(str(mistake) for mistake in mistakes))
    return pack


def look(folder: Path) -> tuple[packs.Pack, list[packs.Mistake], list[packs.Mistake]]:
    """The pack in this folder, its mistakes and its warnings.

    Raises:
        CommandFailed: there is no such folder.
    """
    if not folder.is_dir():
        raise CommandFailed(f"There is no folder {folder}.")
    pack = packs.read(folder)
    mistakes, warnings = packs.check(pack)
    return pack, mistakes, warnings


def apply_pack(api: Api, directory: Path, pack: packs.Pack) -> list[Applied]:
    """Give every service its part; the same pack again changes nothing.

    The pack's publishers get their logins on the broker and their API keys' digests, too.
    """
    rows = pack.parts["intake"].value.get("publishers", [])
    _refuse_ended(directory, pack, [row["login"] for row in rows])
    for row in rows:
        publishers.add(
            api.addresses, directory, publishers.Publisher(row["login"], row["source"], row["areas"][0])
        )
    return [_put(api, service, pack.site, part_with_keys(pack, service, directory)) for service in PARTS]


def _refuse_ended(directory: Path, pack: packs.Pack, logins: list[str]) -> None:
    ended = [login for login in logins if publishers.is_ended(directory, login)]
    if ended:
        raise CommandFailed(
            f"{pack.site} lists {', '.join(ended)}, which an operator ended: take it out of intake.yaml, "
            f"or begin it anew with `wangge publisher add {ended[0]} …`."
        )


def part_with_keys(pack: packs.Pack, service: str, directory: Path) -> dict[str, Any]:
    """The service's part; intake's knows the digests of the API keys that this system made."""
    part = pack.part(service)
    if service != "intake":
        return part
    rows = [
        {"api_key_sha256": publishers.api_key_digest(directory, row["login"]), **row}
        for row in part.get("publishers", [])
    ]
    return with_revision({**part, "publishers": rows})


def _put(api: Api, service: str, site: str, part: dict[str, Any]) -> Applied:
    answer = api.call(service, "PUT", f"/v1/sites/{site}", part)
    return Applied(service, answer["revision"], answer["changed"])


@commands.command("check")
def check(folder: Folder) -> None:
    """Name every mistake of a pack as `file:line: message`; exit status 1 when there is one."""
    pack, mistakes, warnings = look(folder)
    for mistake in mistakes:
        print(mistake)
    for warning in warnings:
        print(f"{warning} (warning)")
    if mistakes:
        raise typer.Exit(1)
    intake, points = pack.parts["intake"].value, pack.parts["points"].value
    console.print(
        f"{pack.site}: {len(intake['grids'])} grids, {len(intake['units'])} units, {len(intake['people'])} people, "
        f"{len(intake['categories'])} categories, {len(points['members'])} members, "
        f"{len(points['rule_set']['items'])} items: no mistakes."
    )


@commands.command("apply")
def apply(folder: Folder, directory: Directory = DEFAULT_DIRECTORY) -> None:
    """Check a pack, then hand each service its part: the whole part or nothing."""
    pack = checked(folder)
    show(pack.site, apply_pack(Api.of_operator(directory), directory, pack))


def show(site: str, applied: list[Applied]) -> None:
    """Print what each service said."""
    table = plain_table("service", "revision", "changed", title=site)
    for each in applied:
        nouns = ", ".join(f"{count} {noun}" for noun, count in each.changed.items() if count)
        table.add_row(each.service, each.revision[:12], nouns or "nothing")
    console.print(table)
