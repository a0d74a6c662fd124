"""Reads from /proc what processes cost: processor seconds and memory, children included."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from wangge.cli.local.processes import children_of

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes: resident, and proportional (a page shared by n processes counts 1/n)."""

    rss: float
    pss: float


def cpu_seconds(*pids: int) -> float:
    """Processor seconds that these processes, their living and their ended children have used so far."""
    return sum(_own_seconds(each) for pid in pids for each in (pid, *children_of(pid)))


def memory_of(*pids: int) -> Memory:
    """Memory of these processes and their children together."""
    each = [_memory(one) for pid in pids for one in (pid, *children_of(pid))]
    return Memory(round(sum(m.rss for m in each), 1), round(sum(m.pss for m in each), 1))


def _own_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS


def _memory(pid: int) -> Memory:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return Memory(0, 0)
    values = {line.split()[0].rstrip(":"): line.split()[1] for line in text.splitlines()[1:]}
    return Memory(int(values["Rss"]) / 1024, int(values["Pss"]) / 1024)
