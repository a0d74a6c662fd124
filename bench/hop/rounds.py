"""Plays one round: fill the queues, start the processes, open the gate, wait, and check every effect."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.hop.implementations import REPOSITORY, Cell, Implementation
from bench.hop.place import Place
from bench.procfs import cpu_seconds, memory_of
from wangge.cli.local import LocalSystem
from wangge.cli.local.processes import clean_environment

#: Seconds that a process may take to subscribe, and that it may take to stop.
START_SECONDS, STOP_SECONDS = 60, 60

#: Seconds without a new fact after which a round counts as stuck.
STUCK_SECONDS = 60

#: Seconds between looks at the listener's queue: rare, so that looking costs nothing.
LOOK_SECONDS = 0.1

COUNTS = """
SELECT (SELECT count(*) FROM inbox), (SELECT count(DISTINCT event_id) FROM inbox), (SELECT count(*) FROM reports),
       (SELECT count(*) FROM report_moves), (SELECT count(*) FROM outbox),
       (SELECT count(*) FROM outbox WHERE published_at IS NULL), (SELECT count(*) FROM held_event)
"""


class WrongEffects(Exception):
    """A round left other effects than one of each a message."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round showed. `cpu_ms`: processor milliseconds a message of each party."""

    messages: int
    seconds: float
    cpu_ms: dict[str, float]
    memory_mb: float

    @property
    def rate(self) -> float:
        """Messages a second, from the opened gate to the last commit of a confirmed fact."""
        return self.messages / self.seconds


def play(
    system: LocalSystem,
    implementation: Implementation,
    processes: int,
    events: Sequence[dict[str, Any]],
    profile: Path | None = None,
) -> Round:
    """One round. Raises `WrongEffects`, or `RuntimeError` when the implementation ends or stands still."""
    place = Place(system, processes)
    try:
        place.close_gate()
        place.fill(events, map(implementation.word, events))
        place.checkpoint()
        with _running(system, implementation, place) as running:
            if profile:
                running.profile(profile)
            before = running.cpu()
            opened = place.open_gate()
            _await_facts(place, running, len(events))
            used = {name: seconds - before[name] for name, seconds in running.cpu().items()}
            memory = memory_of(*running.pids).pss
        ended = check(place, events)
        cpu = {name: round(1000 * seconds / len(events), 3) for name, seconds in used.items()}
        return Round(len(events), (ended - opened).total_seconds(), cpu, memory)
    finally:
        place.remove()


@dataclass(frozen=True, slots=True)
class Running:
    """The processes of a round."""

    system: LocalSystem
    processes: list[subprocess.Popen[bytes]]
    log: Path
    profilers: list[subprocess.Popen[bytes]]

    @property
    def pids(self) -> list[int]:
        """Their numbers."""
        return [process.pid for process in self.processes]

    def cpu(self) -> dict[str, float]:
        """Processor seconds so far of the implementation, PostgreSQL and RabbitMQ."""
        servers = {name: self.system.servers[name].process.pid or 0 for name in ("postgres", "rabbitmq")}
        return {"own": cpu_seconds(*self.pids), **{name: cpu_seconds(pid) for name, pid in servers.items()}}

    def require(self) -> None:
        """Raise `RuntimeError` with the log's end when one has ended."""
        if any(process.poll() is not None for process in self.processes):
            raise RuntimeError(f"it ended:\n{self.log.read_text(errors='replace')[-3000:]}")

    def profile(self, to: Path) -> None:
        """Sample the first process until it ends: a flame graph (`.svg`), else lines of stacks with their counts."""
        command = ["record", "--rate", "200", "--pid", str(self.pids[0]), "--output", str(to)]
        form = "flamegraph" if to.suffix == ".svg" else "raw"
        py_spy = REPOSITORY / ".venv/bench/bin/py-spy"
        self.profilers.append(subprocess.Popen([str(py_spy), *command, "--format", form]))
        time.sleep(1)  # py-spy says nothing when it has attached


@contextmanager
def _running(system: LocalSystem, implementation: Implementation, place: Place) -> Iterator[Running]:
    log = system.directory / "logs" / f"{implementation.name}-{place.name}.log"
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb"))
        running = Running(system, [], log, [])
        try:
            for cell in place.cells:
                running.processes.append(_start(implementation, cell, system, output))
            until = time.monotonic() + START_SECONDS
            while not place.is_subscribed():
                running.require()
                if time.monotonic() > until:
                    raise RuntimeError(f"it did not subscribe:\n{log.read_text(errors='replace')[-3000:]}")
                time.sleep(0.1)
            yield running
        finally:
            _stop(running.processes)
            for profiler in running.profilers:
                profiler.wait(STOP_SECONDS)


def _start(
    implementation: Implementation, cell: Cell, system: LocalSystem, output: Any
) -> subprocess.Popen[bytes]:
    environment = {
        **clean_environment(),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONWARNINGS": "ignore",
        **implementation.environment(cell, system.ports),
        **implementation.settings,
    }
    return subprocess.Popen(
        implementation.command(cell, implementation.settings),
        env=environment,
        cwd=REPOSITORY,
        stdout=output,
        stderr=output,
    )


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_facts(place: Place, running: Running, wanted: int) -> None:
    seen, moved_at = 0, time.monotonic()
    while True:
        facts = place.facts()
        if facts > seen:
            seen, moved_at = facts, time.monotonic()
        if facts >= wanted and place.row("SELECT count(*) FROM outbox WHERE published_at IS NULL") == (0,):
            return
        running.require()
        if time.monotonic() - moved_at > STUCK_SECONDS:
            raise RuntimeError(f"{facts} of {wanted} facts, and no more:\n{running.log.read_text()[-3000:]}")
        time.sleep(LOOK_SECONDS)


def check(place: Place, events: Sequence[dict[str, Any]]) -> datetime:
    """When the last fact was marked as confirmed. Raises `WrongEffects`."""
    number = len(events)
    found = place.row(COUNTS)
    expected = (number, number, number, 2 * number, number, 0, 0)
    if found != expected:
        raise WrongEffects(f"inbox, distinct, reports, moves, outbox, pending, held: {found}, not {expected}")
    if left := place.left():
        raise WrongEffects(f"{left} messages were not acknowledged")
    heard = [fact["data"]["report_code"].rpartition("-")[2] for fact in place.heard()]
    told = {f"{int(event['data']['external_no'].rpartition('-')[2]):06d}" for event in events}
    if len(heard) != number or set(heard) != told:
        raise WrongEffects(f"{len(heard)} facts of {len(set(heard))} reports, not one of each of {number}")
    ended: datetime = place.row("SELECT max(published_at) FROM outbox")[0]
    return ended
