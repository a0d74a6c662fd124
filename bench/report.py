"""Makes docs/benchmarks.md and its charts from bench/results: what was measured, how, and which goals are met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from bench import charts, goals, results
from bench.goals import PEER, Goal
from bench.hop.implementations import IMPLEMENTATIONS, REPOSITORY

PAGE = REPOSITORY / "docs/benchmarks.md"
REASONS = Path(__file__).parent / "reasons.yaml"

Section = Mapping[str, Any]


def make() -> None:
    """Write the page and draw the charts from whatever sections were measured."""
    found = {name: results.read(name) for name in ("hop", "e2e", "http", "cost", "growth")}
    documents = {name: document for name, document in found.items() if document}
    measured = {name: document.get("measured", document) for name, document in documents.items()}
    drawn = charts.draw(measured, PAGE.with_suffix(""))
    lines = [*_head(documents), *_goals(goals.judged(measured))]
    for name, write in WRITERS.items():
        if name in measured:
            chart = next((each for each in drawn if each.startswith(name)), None)
            picture = ["", f"![{name}](benchmarks/{chart})"] if chart else []
            lines += ["", *write(measured[name]), *picture]
    PAGE.write_text("\n".join([*lines, "", *_again()]) + "\n", encoding="utf-8")
    print(f"{PAGE} tells of {', '.join(measured)}")


def _head(documents: Mapping[str, Section]) -> Iterator[str]:
    yield "# Benchmarks"
    yield ""
    yield (
        "Made by `make bench` (`bench/report.py`) from the results under `bench/results/`; nothing here is written by "
        "hand. Servers and everything measured run on one machine and share its processors, so these are figures to "
        "compare with each other, not the most that a server room can do."
    )
    machines = {name: document["machine"] for name, document in documents.items() if "measured" in document}
    if not machines:
        return
    one = next(iter(machines.values()))
    versions = ", ".join(f"{name} {number}" for name, number in one["versions"].items() if number)
    yield ""
    yield f"**Machine**: {one['cpu']}, {one['cores']} cores, {one['memory_gb']} GB, Linux {one['kernel']}."
    yield f"**Versions**: {versions}."
    yield ""
    yield from _table(
        ["section", "measured at", "commit", "load before"],
        [[name, each["measured_at"], each["commit"], each["load_before"]] for name, each in machines.items()],
    )


def _goals(judged: Sequence[Goal]) -> Iterator[str]:
    reasons: dict[str, str] = yaml.safe_load(REASONS.read_text(encoding="utf-8")) or {}
    met = sum(goal.is_met for goal in judged)
    yield ""
    yield f"## Goals: {met} of {len(judged)} met"
    yield ""
    shown = [goal for goal in judged if not goal.key.startswith("growth.") or not goal.is_met]
    yield from _table(
        ["", "goal", "wanted", "found"],
        [["met" if goal.is_met else "**not met**", goal.about, goal.wanted, goal.found] for goal in shown],
    )
    if len(shown) < len(judged):
        yield ""
        yield f"The other {len(judged) - len(shown)} are operations that grow by less than {goals.GROWTH:g} ×, see Growth."
    told = {reason for goal in judged if not goal.is_met for reason in _reasons(goal, reasons)}
    if told:
        yield ""
        yield from (f"- {reason}" for reason in sorted(told))


def _reasons(goal: Goal, reasons: Mapping[str, str]) -> Iterator[str]:
    return (reason for key, reason in reasons.items() if fnmatch(goal.key, key))


def _hop(hop: Section) -> Iterator[str]:
    yield "## The durable hop"
    yield ""
    yield (
        "An incident of 13 fields is consumed from quorum queues (4 lanes), validated with the same marshmallow schemas, "
        "kept in PostgreSQL (inbox, report, two lines of history, outbox; `fsync` and `synchronous_commit` on), a fact is "
        "published with the broker's confirm, and the message is acknowledged. All messages wait in the queues before; the "
        "rate counts from the instant at which everybody, connected already, may begin to the commit that marks the last "
        "confirmed fact; a round counts only if every table has exactly its rows, every queue is empty and a listener got "
        "every fact once. Rounds of all are interleaved; shown are medians and in brackets the lowest and the highest."
    )
    for processes, played in hop.items():
        yield ""
        yield f"{'One process' if processes == '1' else f'{processes} processes'}:"
        yield ""
        yield from _table(
            [
                "",
                "events/s",
                "ours is",
                "CPU ms an event: own",
                "PostgreSQL",
                "RabbitMQ",
                "memory MB",
                "messages a round",
            ],
            [_hop_row(name, one) for name, one in sorted(played.items(), key=lambda each: -each[1]["rate"])],
        )
    yield ""
    yield from _settings()


def _hop_row(name: str, one: Section) -> list[Any]:
    times = sorted(one["ours_is_times"])
    ours = f"{times[len(times) // 2]:g} × ({times[0]:g} to {times[-1]:g})" if times and name != "ours" else ""
    rates = f"{one['rate']:,.0f} ({min(one['rates']):,.0f} to {max(one['rates']):,.0f})"
    cpu = one["cpu_ms"]
    return [
        charts.TITLES[name], rates, ours, cpu["own"], cpu["postgres"], cpu["rabbitmq"], one["memory_mb"], one["messages"],
    ]  # fmt: skip


def _settings() -> Iterator[str]:
    """What each implementation is, and with which settings: those that `python -m bench.hop.tune` found best."""
    yield "What each one is (the code is under `bench/hop/`):"
    yield ""
    for name, text in ABOUT.items():
        settings = ", ".join(f"`{key}={value}`" for key, value in IMPLEMENTATIONS[name].settings.items())
        yield f"- **{charts.TITLES[name]}**: {text}{f' Settings: {settings}.' if settings else ''}"


ABOUT = {
    "ours": (
        "a service on the chassis as our own are written, with its default settings. It loads and dumps by the same schemas "
        "through `wangge/contracts/quick.py`, which leaves to marshmallow whatever it is in doubt about. Two processes are "
        "two cells of two lanes, each with one community's areas."
    ),
    "loop": (
        "py-amqp and psycopg2 in one thread: batches of up to 200 in one commit by `execute_values`, facts published "
        "pipelined, confirmed while the next batch is read, marked in the next commit; no retries, no quarantine, no order "
        "by key, no reconnecting, no metrics. It is the practical limit of one Python process, not a peer."
    ),
    "loop-quick": "the same loop, loading and dumping by `wangge/contracts/quick.py`: how much of the limit is marshmallow.",
    "nameko": (
        "`@consume` on each queue, a SQLAlchemy session a worker, Core statements, `EventDispatcher` with confirms; the "
        "outbox row is marked in a second commit before nameko acknowledges."
    ),
    "celery": (
        "a task an event, `acks_late`, `reject_on_worker_lost`, `confirm_publish`, no result backend, no events, no remote "
        "control; one psycopg2 connection and one producer a worker of the pool. A “process” is a worker with its whole pool."
    ),
    "faststream": (
        "a subscriber a queue, asyncpg's pool, uvloop, publisher confirms, `apply_types=False`, acknowledged after the "
        "handler."
    ),
}


def _e2e(e2e: Section) -> Iterator[str]:
    yield "## End to end"
    yield ""
    yield (
        "Intake, dispatch, points and notify run as in production with the site pack of Hexi Xijie; an outside system "
        "publishes over AMQP, of each case a contact of the leading unit (one of eight) is told at an HTTP webhook, and the time is taken there. The bare chain is "
        "three processes with as many hops through quorum queues, as many commits of comparable rows and the same POST, and "
        "nothing else (`bench/chain.py`). Sustained is the highest rate at which the backlog of 30 s does not grow; a run "
        "counts only if every incident has one report, one case and one delivered notice."
    )
    yield ""
    rows = {
        "idle, one at a time": e2e["idle"]["ours"],
        "bare chain, idle": e2e["idle"]["bare_chain"],
        f"at {e2e['at_half']['per_second']:g}/s, half of what is sustained": e2e["at_half"],
    }
    yield from _table(
        ["incident to notice, ms", "p50", "p95", "p99", "longest", "incidents"],
        [[name, *(row[key] for key in ("p50", "p95", "p99", "max", "count"))] for name, row in rows.items()],
    )
    sustained = e2e["sustained"]
    yield ""
    yield (
        f"Sustained: **{sustained['per_second']:g} incidents/s** to notices; a burst is worked off at "
        f"{sustained['burst_per_second']:g}/s. All {e2e['checked']['incidents']} incidents of the run have one report, one "
        "case and one notice each."
    )


def _http(http: Section) -> Iterator[str]:
    yield "## HTTP intake"
    yield ""
    yield (
        f"`POST /v1/reports` one by one, and `POST /v1/reports/batch` with {http['ndjson']['lines']} lines of NDJSON, each "
        "accepted into a report, its history and a fact, while the other services make cases and notices of them on the "
        "same two processors. The load comes from one asyncio process over kept connections (`bench/client.py`), bounded "
        "in count and time; every accepted report is counted again as a case."
    )
    yield ""
    rows = [
        [title, key, row["reports_per_second"], row["p50_ms"], row["p99_ms"], row["requests"], row["refused"]]
        for way, title in {"single": "one by one", "ndjson": "NDJSON"}.items()
        for key, row in http[way].items()
        if isinstance(row, Mapping)
    ]
    yield from _table(
        ["", "connections", "reports/s", "p50 ms a request", "p99 ms", "requests", "refused (503)"], rows
    )


def _cost(cost: Section) -> Iterator[str]:
    yield "## Cost"
    yield ""
    yield (
        f"Memory is read from `/proc/<pid>/smaps_rollup`, idle after the site was applied, and loaded after "
        f"{cost['cases']:,} incidents came at once and were worked off. Bytes a case are those of all tables with their "
        "indexes, after VACUUM, less what was there before."
    )
    yield ""
    idle, loaded = cost["memory_idle"], cost["memory_loaded"]
    rows = [
        [name, idle[name]["rss"], idle[name]["pss"], loaded[name]["rss"], loaded[name]["pss"],
         cost["ready_seconds"].get(name, ""), cost["bytes_per_case"].get(name, "")]
        for name in idle
    ]  # fmt: skip
    yield from _table(
        ["", "idle RSS MB", "idle PSS", "loaded RSS", "loaded PSS", "start to ready, s", "bytes a case"], rows
    )
    cold = cost["cold_start"]
    yield ""
    yield (
        f"A case costs {sum(cost['bytes_per_case'].values()):,} bytes in all four databases. All four services started at "
        f"once give the first page of cases after {cold['first_answer_seconds']:g} s and are all ready after "
        f"{cold['all_ready_seconds']:g} s; start to ready above includes making the databases' tables."
    )


def _growth(growth: Section) -> Iterator[str]:
    yield "## Growth"
    yield ""
    yield (
        f"The same operations with 10 thousand, 100 thousand and 1 million cases in the databases, {growth['times']} times "
        "each, the sizes taking turns. That no hot path reads a large table from end to end is asserted from the plans, in "
        "the tests."
    )
    yield ""
    sizes = sorted({size for one in growth["operations"].values() for size in one["milliseconds"]}, key=int)
    yield from _table(
        ["p50 / p95 ms", *(f"{int(size):,}" for size in sizes), "p95 grows by"],
        [
            [name, *(f"{one['milliseconds'][size]['p50']:g} / {one['milliseconds'][size]['p95']:g}" for size in sizes),
             f"{one['ratio']['p95']:g} ×"]
            for name, one in growth["operations"].items()
        ],
    )  # fmt: skip


def _again() -> Iterator[str]:
    yield "## The nearest peer"
    yield ""
    yield (
        "Signalen 2.50 (Django, Celery, RabbitMQ, PostGIS) was measured once on a machine of this size, tuned, with its "
        f"outside services stubbed in its favour: {PEER['create_per_second']['1']:g} reports/s at 1 connection and "
        f"{PEER['create_per_second']['16']:g} at 16, report to mail {PEER['notice_ms']:g} ms idle, a list page of 50 from 11 "
        f"thousand {PEER['list_page_ms']:g} ms, {PEER['memory_mb']:g} MB in 18 processes idle, first answer "
        f"{PEER['first_answer_seconds']:g} s after a cold start. It is not measured again here."
    )
    yield ""
    yield "## Again"
    yield ""
    yield (
        "`make bench` measures everything (about 20 minutes), `make bench-quick` the shape of it; "
        "`.venv/bench/bin/python -m bench hop` (`e2e`, `http`, `cost`, `growth`, `report`) one section; "
        "`python -m bench.hop --only ours,loop --rounds 1 --messages 3000 --profile out.svg` plays and samples single "
        "rounds; `python -m bench.hop.tune` tries the peers' settings."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"


WRITERS = {"hop": _hop, "e2e": _e2e, "http": _http, "cost": _cost, "growth": _growth}
