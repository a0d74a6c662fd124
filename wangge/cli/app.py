"""The `wangge` command: puts the command groups together and shows failures in one line of plain words."""

import sys

import typer

from wangge.cli import (
    cell,
    clock,
    conformance,
    contracts,
    demo,
    held,
    provision,
    publish,
    publisher,
    running,
    site,
    token,
)
from wangge.cli.errors import CommandFailed

app = typer.Typer(
    name="wangge",
    help="Runs Wangge on this machine and talks to a running one.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

# One line a module, in the order of `wangge --help`. Each module holds `commands`, a Typer of its own:
# with a name they form a group (`wangge clock set`), without one they stand beside the others (`wangge up`).
app.add_typer(running.commands)
app.add_typer(site.commands, name="site")
app.add_typer(token.commands)
app.add_typer(publish.commands)
app.add_typer(publisher.commands, name="publisher")
app.add_typer(clock.commands, name="clock")
app.add_typer(held.commands, name="held")
app.add_typer(cell.commands, name="cell")
app.add_typer(conformance.commands)
app.add_typer(contracts.commands, name="contracts")
app.add_typer(provision.commands, name="provision")
app.add_typer(demo.commands)


def main() -> None:
    """Run the command line; a `CommandFailed` ends it with status 1 and its text on standard error."""
    try:
        app()
    except CommandFailed as failure:
        sys.exit(f"wangge: {failure}")
