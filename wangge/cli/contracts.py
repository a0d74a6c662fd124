"""`wangge contracts export`: writes the published language to docs/, or tells whether what is there is current."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wangge.cli.errors import CommandFailed
from wangge.contracts import asyncapi

commands = typer.Typer(no_args_is_help=True, help="The published language of the bus.")

FOLDER = Path("docs")


def outdated(folder: Path) -> list[str]:
    """The generated files that are missing, differ, or belong to no contract any more."""
    wanted = asyncapi.files()
    kept = {f"schemas/{path.name}" for path in (folder / "schemas").glob("*.json")}
    differing = {name for name, text in wanted.items() if _text(folder / name) != text}
    return sorted(differing | (kept - wanted.keys()))


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


@commands.callback()
def group() -> None:
    """Keep `export` a command of its own name."""


@commands.command("export")
def export(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit status 1 if outdated.")] = False,
    to: Annotated[Path, typer.Option("--to", help="The folder.")] = FOLDER,
) -> None:
    """Write docs/asyncapi.yaml and docs/schemas/<type>.json from the contracts."""
    stale = outdated(to)
    if check and stale:
        raise CommandFailed(f"outdated under {to}: {', '.join(stale)}; run `wangge contracts export`")
    wanted = asyncapi.files()
    for name in stale:
        path = to / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name], encoding="utf-8")
        else:
            path.unlink()
    print(f"{to}: {len(stale)} of {len(wanted)} files written." if stale else f"{to} is current.")
