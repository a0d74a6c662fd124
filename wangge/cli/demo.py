"""`wangge demo`: applies the sample sites, lets incidents be reported, and shows the cases going round.

What `make run` ends in (`follow`). With `--story` it replays a pack's story at its exact instants, which needs a system
started with `wangge up --movable-clock`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from wangge.cli import clock, site
from wangge.cli.api import Api, Refused
from wangge.cli.errors import CommandFailed
from wangge.cli.local import DEFAULT_DIRECTORY, Addresses
from wangge.cli.moves import COMMANDS, STATES, Told
from wangge.cli.options import Directory
from wangge.cli.stories import CHINA, Play

commands = typer.Typer()
console = Console()

SITES = Path(__file__).resolve().parents[2] / "sites"
SAMPLES = ("hexixijie", "liangjiazhuang")

#: Seconds between two looks while people act: slow enough to read along.
PACE_SECONDS = 0.7
#: Seconds between two looks once everything is done.
IDLE_SECONDS = 3.0
#: Seconds that notices and points may take after the last case was closed.
SETTLE_SECONDS = 15.0
#: Seconds after which the demo stops waiting for a case that does not move.
STUCK_SECONDS = 120.0
#: Lines of each list under the cases where the terminal is low, and the most that help anybody.
FEW, MANY = 3, 10
#: Lines that headings and frames take.
FRAMES = 8


def follow(directory: Path) -> None:
    """Apply the sample sites, show their incidents going round, and keep showing until interrupted."""
    show(directory, SAMPLES, PACE_SECONDS, keep=True)


def show(directory: Path, names: Sequence[str], pace: float, keep: bool = False) -> list[Play]:
    """Let the samples of these sites go round on the screen, then sum up.

    Raises:
        CommandFailed: a pack has mistakes, no system runs, or cases did not come to their end.
    """
    plays = [prepared(directory, name) for name in names]
    _finish_what_is_open(plays, pace)
    for play in plays:
        _introduce(play)
        for name in play.story["samples"]:
            play.tell(name)
    with _screen(plays) as refresh:
        _go_round(plays, pace, refresh)
    _sum_up(plays)
    _require_finished(plays)
    if keep:
        _keep_showing(plays, pace)
    return plays


def prepared(directory: Path, name: str) -> Play:
    """The story of a sample site, its pack checked and applied."""
    pack = site.checked(SITES / name)
    site.show(pack.site, site.apply_pack(Api.of_operator(directory), directory, pack))
    return Play(directory, pack)


def _finish_what_is_open(plays: Sequence[Play], pace: float) -> None:
    """Let the people finish what an earlier, interrupted showing left: new reports beside it would join its cases."""
    for play in plays:
        play.look_for_others()
    if any(play.told for play in plays):
        console.print("First the cases that are still open:")
        with _screen(plays) as refresh:
            _go_round(plays, pace, refresh)
        for play in plays:
            play.told.clear()


def _introduce(play: Play) -> None:
    console.print(f"\n[bold]{play.story['title']}[/]")
    console.print(f"{play.story['summary']}\n", soft_wrap=True)


def _go_round(plays: Sequence[Play], pace: float, refresh: Any) -> None:
    """Let one person of each play act at a time until all is done, then give notices and points their time."""
    moved = time.monotonic()
    while any(told.is_open for play in plays for told in play.told.values()):
        before = [len(play.said) for play in plays]
        for play in plays:
            play.look()
            play.act_once()
        refresh()
        if before != [len(play.said) for play in plays]:
            moved = time.monotonic()
        elif time.monotonic() - moved > STUCK_SECONDS:
            return
        time.sleep(pace)
    _settle(plays, refresh)


def _settle(plays: Sequence[Play], refresh: Any) -> None:
    end = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < end and not all(play.is_answered() for play in plays):
        time.sleep(0.5)
    for play in plays:
        play.look_at_effects()
    refresh()


@contextmanager
def _screen(plays: Sequence[Play]) -> Iterator[Any]:
    """A table that refreshes in place on a terminal; line after line into a file or a pipe."""
    if not console.is_terminal:
        yield _line_printer(plays)
        return
    with Live(_picture(plays), console=console, refresh_per_second=8) as live:
        yield lambda: live.update(_picture(plays))


def _line_printer(plays: Sequence[Play]) -> Any:
    printed = [0] * len(plays)

    def refresh() -> None:
        for i, play in enumerate(plays):
            for line in play.said[printed[i] :]:
                console.print(line, highlight=False, soft_wrap=True)
            printed[i] = len(play.said)

    return refresh


def _picture(plays: Sequence[Play]) -> Group:
    rows = sum(len(play.told) for play in plays)
    lines = min(MANY, max(FEW, (console.height - rows - FRAMES) // 3))
    return Group(
        _cases(plays),
        Panel(_notices(plays, lines), title="notices 通知", title_align="left", border_style="dim"),
        Panel(_points(plays), title="points 积分", title_align="left", border_style="dim"),
        Panel(_lines(plays, lines), title="what happened 动态", title_align="left", border_style="dim"),
    )


def _cases(plays: Sequence[Play]) -> Table:
    table = Table(box=None, header_style="bold", expand=True)
    for heading in (
        "case 案件",
        "category 类别",
        "grid 网格",
        "state 状态",
        "lead 牵头",
        "deadline 期限",
        "next 下一步",
    ):
        table.add_column(heading, no_wrap=heading.startswith(("case", "deadline", "state")))
    for play in plays:
        for told in play.told.values():
            table.add_row(*_row(play, told))
    return table


def _row(play: Play, told: Told) -> tuple[str, ...]:
    case = told.case
    if not case:
        return (told.report_code or "…", told.name, "", _outcome(told), "", "", "")
    act = play.moves.next(told)
    then = f"{play.cast.name(act.who)} {COMMANDS.get(act.command, act.command)}" if act else ""
    state = case["state"]
    colour = "green" if state == "closed" else "yellow"
    return (
        case["case_no"],
        play.moves.category(case["category"]),
        play.cast.area(case["area"]),
        f"[{colour}]{STATES.get(state, state)}[/]",
        play.cast.unit(case.get("lead")),
        _moment(case.get("deadline")),
        then,
    )


def _outcome(told: Told) -> str:
    return f"{told.outcome} → {told.of}" if told.of else told.outcome


def _moment(at: str | None) -> str:
    return f"{datetime.fromisoformat(at).astimezone(CHINA):%m-%d %H:%M}" if at else ""


def _notices(plays: Sequence[Play], lines: int) -> Table:
    table = Table.grid(padding=(0, 2))
    rows = [
        (play.cast.recipient(message["recipient"]), message["title"], message["state"])
        for play in plays
        for message in play.notices[-lines:]
    ]
    for row in rows[-lines:]:
        table.add_row(*row)
    return table


def _points(plays: Sequence[Play]) -> Table:
    table = Table.grid(padding=(0, 2))
    for play in plays:
        for person, member in play.members.items():
            score = member["evaluation"]
            table.add_row(
                play.cast.name(person),
                f"award 奖励 {score['award']}",
                f"total 总分 {score['total']}",
                str(score["band"]),
                f"wallet 余额 {member['wallet']}",
            )
    return table


def _lines(plays: Sequence[Play], lines: int) -> Text:
    said = sorted(line for play in plays for line in play.said)
    return Text("\n".join(said[-lines:]))


def _sum_up(plays: Sequence[Play]) -> None:
    for play in plays:
        closed = [told for told in play.told.values() if told.case.get("state") == "closed"]
        merged = [told for told in play.told.values() if told.outcome == "merged"]
        arrived = [message for message in play.notices if message["state"] == "delivered"]
        console.print(
            f"\n[bold]{play.pack.site}[/]: {len(play.told)} incidents reported, {len(merged)} merged, "
            f"{len(closed)} cases closed, {len(arrived)} of {len(play.notices)} notices delivered.",
            soft_wrap=True,
        )
        for told in closed:
            console.print(f"  {told.case_no}  {play.moves.category(told.case['category'])}", highlight=False)
        console.print(_points([play]))


def _require_finished(plays: Sequence[Play]) -> None:
    left = [
        f"{told.name} ({told.outcome}, {told.case.get('state', 'no case')})"
        for play in plays
        for told in play.told.values()
        if told.outcome not in ("merged", "duplicate", "rejected") and told.case.get("state") != "closed"
    ]
    if left:
        raise CommandFailed(f"These did not come to their end: {', '.join(left)}.")


def _keep_showing(plays: Sequence[Play], pace: float) -> None:
    """Go on with whatever else is reported here, until interrupted."""
    console.print("What you publish now goes round, too (`wangge publish`); Ctrl-C stops.")
    with _screen(plays) as refresh:
        while True:
            for play in plays:
                play.look_for_others()
                play.look()
                play.act_once()
            refresh()
            time.sleep(
                pace if any(told.is_open for play in plays for told in play.told.values()) else IDLE_SECONDS
            )


def replay(directory: Path, name: str) -> Play:
    """Replay a story at its exact instants on movable clocks; afterwards they run again.

    Raises:
        CommandFailed: the clocks cannot be moved, or something did not come about as the story says.
    """
    play = prepared(directory, name)
    addresses = Addresses.read(directory)
    refresh = _line_printer([play])
    _introduce(play)
    try:
        for step in play.story["steps"]:
            clock.move(addresses, {"set": step["at"].isoformat()})
            play.step(step)
            refresh()
    finally:
        clock.move(addresses, {"release": True})
    return play


@commands.command()
def demo(
    site_name: Annotated[
        list[str] | None, typer.Option("--site", help="A folder under sites/; several: again.")
    ] = None,
    follow_on: Annotated[bool, typer.Option("--follow", help="Keep showing until Ctrl-C.")] = False,
    story: Annotated[bool, typer.Option("--story", help="Replay at exact instants (movable clock).")] = False,
    pace: Annotated[float, typer.Option(help="Seconds between two looks.")] = PACE_SECONDS,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Show incidents going round on a running system: reported, dispatched, handled, checked, closed, rewarded."""
    names = site_name or (SAMPLES[:1] if story else SAMPLES)
    try:
        if story:
            for name in names:
                replay(directory, name)
            console.print("[green]Everything came about as the story says.[/]")
        else:
            show(directory, names, pace, keep=follow_on)
    except Refused as refused:
        raise CommandFailed(f"{refused}\nIs everything ready? See `wangge status`.") from refused
    except KeyboardInterrupt:
        console.print("\nStopped showing; the system goes on.")
