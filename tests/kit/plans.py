"""Reads plans: which tables they scan from end to end, and how much they read for what they answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Rows that a statement may read whatever it answers, and for each row that it answers: both are few beside a table.
READ_ANYWAY, READ_A_ROW = 2500, 12

Plan = Mapping[str, Any]


def mistakes(told: Plan, large: set[str]) -> list[str]:
    """What is wrong with the plan of a statement that should cost the same however many rows there are."""
    root = told["Plan"]
    answered = rows_of(root)
    most = READ_ANYWAY + READ_A_ROW * answered
    found = []
    for node in nodes(root):
        name = node.get("Relation Name", "")
        if node["Node Type"] == "Seq Scan" and name in large and node["Actual Loops"]:
            found.append(f"{name} is scanned from end to end")
        if read_by(node) > most:
            found.append(
                f"{node['Node Type']} of {name or 'rows'} reads {read_by(node):.0f} for {answered:.0f}"
            )
    return [f"{each}: {told['Query Text'][:300]}" for each in found]


def nodes(node: Plan) -> Iterator[Plan]:
    """A plan's node and all below it."""
    yield node
    for below in node.get("Plans", ()):
        yield from nodes(below)


def rows_of(node: Plan) -> float:
    """Rows that a node answered, all its runs together; what changes rows answers those that it changed."""
    changed = [below["Actual Rows"] * below["Actual Loops"] for below in node.get("Plans", ())]
    own = node["Actual Rows"] * node["Actual Loops"]
    return float(max([own, *changed]) if node["Node Type"] == "ModifyTable" else own)


def read_by(node: Plan) -> float:
    """Rows that a node looked at, all its runs together."""
    dropped = sum(value for name, value in node.items() if name.startswith("Rows Removed by"))
    return float((node["Actual Rows"] + dropped) * node["Actual Loops"])
