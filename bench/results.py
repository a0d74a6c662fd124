"""Keeps the result of each section as a small JSON file, so that sections can be measured one by one."""

from __future__ import annotations

import json
from typing import Any

from bench.hop.implementations import REPOSITORY
from bench.machine import described

FOLDER = REPOSITORY / "bench/results"


def write(section: str, measured: dict[str, Any], heading: dict[str, Any]) -> None:
    """Keep a section's result under what it was measured on."""
    FOLDER.mkdir(exist_ok=True)
    document = {"machine": heading, "measured": measured}
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    (FOLDER / f"{section}.json").write_text(text, encoding="utf-8")


def read(section: str) -> dict[str, Any] | None:
    """A section's result; None where it was not measured."""
    path = FOLDER / f"{section}.json"
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


__all__ = ["FOLDER", "described", "read", "write"]
