"""Draws the charts of docs/benchmarks: few words, values on the bars, readable in grey."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

INK, PALE, ACCENT, GRID = "#37474f", "#b0bec5", "#c62828", "#eceff1"
TITLES = {
    "loop": "hand-written loop",
    "loop-quick": "the loop with our loader",
    "ours": "Wangge",
    "nameko": "stock nameko",
    "celery": "Celery",
    "faststream": "FastStream",
}
#: Where a log scale of milliseconds is labelled.
MILLISECONDS = (2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)

mpl.rcParams.update(
    {
        "svg.hashsalt": "wangge",  # the same figures give the same file
        "svg.fonttype": "path",
        "font.size": 10,
        "axes.edgecolor": PALE,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "text.color": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
    }
)


def draw(measured: Mapping[str, Mapping[str, Any]], folder: Path) -> list[str]:
    """Draw a chart for each section that was measured; answers their file names."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, chart in CHARTS.items():
        section = name.partition("-")[0]
        if section in measured:
            figure = chart(measured[section])
            path = folder / f"{name}.svg"
            figure.savefig(path, metadata={"Date": None})
            _without_trailing_spaces(path)
            plt.close(figure)
            drawn.append(path.name)
    return drawn


def _hop(hop: Mapping[str, Any]) -> Any:
    figure, axes = plt.subplots(
        1, len(hop), figsize=(9, 2.9), layout="constrained", sharex=True, squeeze=False
    )
    for place, (processes, played) in zip(axes[0], hop.items(), strict=True):
        names = sorted(played, key=lambda name, of=played: of[name]["rate"])
        rates = [played[name]["rate"] for name in names]
        spread = [
            [rate - min(played[name]["rates"]) for name, rate in zip(names, rates, strict=True)],
            [max(played[name]["rates"]) - rate for name, rate in zip(names, rates, strict=True)],
        ]
        colours = [ACCENT if name == "ours" else PALE for name in names]
        place.barh([TITLES[name] for name in names], rates, color=colours, height=0.62)
        place.errorbar(rates, range(len(names)), xerr=spread, fmt="none", ecolor=INK, elinewidth=1, capsize=2)
        ends = [max(played[name]["rates"]) for name in names]
        for at, (end, rate) in enumerate(zip(ends, rates, strict=True)):
            place.annotate(f"{rate:,.0f}", (end, at), xytext=(5, 0), textcoords="offset points", va="center")
        place.set_title("one process" if processes == "1" else f"{processes} processes")
        _tidy(place, "events a second")
        place.set_xlim(0, max(ends) * 1.18)
    return figure


def _e2e(e2e: Mapping[str, Any]) -> Any:
    figure, axes = plt.subplots(figsize=(9, 2.6), layout="constrained")
    rows = {
        f"at {e2e['at_half']['per_second']:g}/s (half of what is sustained)": e2e["at_half"],
        "idle": e2e["idle"]["ours"],
        "bare chain, idle": e2e["idle"]["bare_chain"],
    }
    for at, row in enumerate(rows.values()):
        axes.plot([row["p50"], row["p99"]], [at, at], color=PALE, linewidth=5, zorder=1)
        for name, colour, above in (("p50", ACCENT, 8), ("p95", INK, -15), ("p99", INK, 8)):
            axes.scatter(row[name], at, color=colour, zorder=2, s=30)
            axes.annotate(
                f"{name} {row[name]:g}",
                (row[name], at),
                xytext=(0, above),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(-0.5, len(rows) - 0.3)
    axes.set_xscale("log")
    axes.set_xticks(MILLISECONDS, [f"{value:g}" for value in MILLISECONDS])
    axes.set_xlim(
        min(row["p50"] for row in rows.values()) * 0.8, max(row["p99"] for row in rows.values()) * 1.2
    )
    axes.minorticks_off()
    axes.set_title("from an incident's publishing to its notice at a webhook")
    _tidy(axes, "milliseconds (log scale)")
    return figure


def _http(http: Mapping[str, Any]) -> Any:
    figure, axes = plt.subplots(1, 2, figsize=(9, 2.6), layout="constrained")
    for place, (way, title) in zip(axes, {"single": "one by one", "ndjson": "NDJSON"}.items(), strict=True):
        rows = {key: row for key, row in http[way].items() if isinstance(row, Mapping)}
        rates = [row["reports_per_second"] for row in rows.values()]
        bars = place.bar([f"{key}" for key in rows], rates, color=ACCENT, width=0.5)
        for bar, row in zip(bars, rows.values(), strict=True):
            place.annotate(
                f"{row['reports_per_second']:,.0f}/s\np99 {row['p99_ms']:g} ms",
                (bar.get_x() + bar.get_width() / 2, bar.get_height()),
                xytext=(0, 3), textcoords="offset points", ha="center", fontsize=8,
            )  # fmt: skip
        place.set_ylim(0, max(rates) * 1.35)
        place.set_title(f"reports a second, {title}")
        place.set_xlabel("connections")
        place.grid(axis="y", color=GRID)
        place.set_axisbelow(True)
    return figure


def _memory(cost: Mapping[str, Any]) -> Any:
    figure, axes = plt.subplots(figsize=(9, 2.6), layout="constrained")
    names = list(cost["bytes_per_case"])
    for offset, key, colour in ((0.2, "memory_idle", ACCENT), (-0.2, "memory_loaded", PALE)):
        values = [cost[key][name]["rss"] for name in names]
        label = "idle" if key == "memory_idle" else "after the load"
        axes.barh([at + offset for at in range(len(names))], values, height=0.36, color=colour, label=label)
        for at, value in enumerate(values):
            axes.annotate(
                f"{value:.0f}",
                (value, at + offset),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
    axes.axvline(70, color=INK, linewidth=1, linestyle=":")
    axes.annotate("goal, idle", (70, len(names) - 0.5), xytext=(3, 0), textcoords="offset points", fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.legend(frameon=False, loc="lower right", fontsize=8)
    axes.set_xlim(0, max(110, *(cost["memory_loaded"][name]["rss"] * 1.25 for name in names)))
    axes.set_title("resident memory of a service's process")
    _tidy(axes, "megabytes")
    return figure


def _growth(growth: Mapping[str, Any]) -> Any:
    figure, axes = plt.subplots(figsize=(9, 3.4), layout="constrained")
    for at, one in enumerate(growth["operations"].values()):
        sizes = sorted(map(int, one["milliseconds"]))
        first = one["milliseconds"][str(sizes[0])]["p95"]
        line = [one["milliseconds"][str(size)]["p95"] / first for size in sizes]
        axes.plot(
            sizes,
            line,
            color=PALE,
            marker="o",
            markersize=3,
            linewidth=1,
            label="one operation" if not at else None,
        )
    axes.axhline(1.5, color=ACCENT, linewidth=1, linestyle=":", label="goal: below 1.5")
    axes.set_xscale("log")
    axes.set_ylim(0, None)
    axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_title("p95 of each operation, as a multiple of its own at the smallest size")
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    _tidy(axes, "cases in the database (log scale)")
    return figure


def _tidy(axes: Axes, label: str) -> None:
    axes.set_xlabel(label)
    axes.grid(axis="x", color=GRID)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)


def _without_trailing_spaces(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")


CHARTS = {"hop": _hop, "e2e": _e2e, "http": _http, "cost-memory": _memory, "growth": _growth}
