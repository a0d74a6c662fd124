"""Writes what a run of the fault tests has shown: a page for people and the same for programs, only when asked.

A test says its fault in its docstring and its number with `@pytest.mark.fault(number)`; what was checked is noted by
`kit.quiescence` as it checks.
"""

import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kit.checker import INVARIANTS
from kit.quiescence import checked

#: Numbers of the faults, as in the table of the project's messaging facts; 0 for one outside of it.
OUTSIDE = 0


@dataclass(frozen=True, slots=True)
class Row:
    """What one test has shown."""

    numbers: tuple[int, ...]
    fault: str
    test: str
    checked: str
    result: str
    seconds: float


class FaultReport:
    """Collects a row a test while they run; a pytest plugin."""

    def __init__(self, page: Path) -> None:
        self._page = page
        self._rows: list[Row] = []
        self._began = datetime.now(UTC)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Forget what the test before has checked."""
        checked.clear()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        """Note how a test ended; one whose setup failed or that was skipped, too."""
        report = yield
        if report.when == "call" or report.outcome != "passed":
            self._rows.append(_row(item, report))
        return report

    def pytest_sessionfinish(self) -> None:
        """Write the page, and beside it the same as JSON."""
        rows = sorted(self._rows, key=lambda row: (row.numbers or (OUTSIDE,), row.test))
        document = {
            "began": self._began.isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {_cores()} cores",
            "invariants": list(INVARIANTS),
            "tests": [asdict(row) for row in rows],
        }
        self._page.write_text(_as_page(document, rows), encoding="utf-8")
        self._page.with_suffix(".json").write_text(
            json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
        )


def _row(item: pytest.Item, report: pytest.TestReport) -> Row:
    function = getattr(item, "function", None)
    sentence = ((getattr(function, "__doc__", None) or "").strip().split("\n")[0]).rstrip(".")
    numbers = tuple(number for mark in item.iter_markers("fault") for number in mark.args)
    return Row(
        tuple(sorted(numbers)),
        sentence,
        item.name.removeprefix("test_").replace("_", " "),
        "; ".join(checked),
        report.outcome,
        round(report.duration, 1),
    )


def _as_page(document: dict[str, Any], rows: list[Row]) -> str:
    passed = sum(row.result == "passed" for row in rows)
    run = f"Run of {document['began']} on {document['machine']}, Python {document['python']}"
    tested = f"{passed} of {len(rows)} tests passed in {sum(row.seconds for row in rows):.0f} s of testing"
    lines = [
        "# What faults have shown",
        "",
        "Written by `make faults`; the same for programs is in `faults.json`. The numbers in the first column are those of",
        "the fault table from which the suite was made; 0 stands for a test outside of it.",
        "",
        f"{run}: {tested}.",
        "",
        f"Each test ends with the same {len(INVARIANTS)} checks, once nothing moves any more:",
        "",
        *(f"- {invariant}" for invariant in INVARIANTS),
        "",
        "| no. | fault | what must hold | checked | result | s |",
        "|---|---|---|---|---|---|",
        *(
            f"| {', '.join(map(str, row.numbers)) or OUTSIDE} | {row.fault} | {row.test} | {row.checked} "
            f"| {row.result} | {row.seconds} |"
            for row in rows
        ),
        "",
    ]
    return "\n".join(lines)


def _cores() -> int:
    return len(os.sched_getaffinity(0))
