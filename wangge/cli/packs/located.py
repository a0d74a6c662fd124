"""Reads YAML and CSV and remembers the line that every value stands on.

YAML is read with the core rules of YAML 1.2, so that a pack means what it says: only `true` and `false` are booleans
(`off:` is a key), `14:00` is text, dates are text, and a number of ten digits or more, or with a leading zero, is a
code and therefore text.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Path_ = tuple[str | int, ...]
"""The way from the top of a document to a value: keys and list positions."""


@dataclass(frozen=True, order=True)
class Place:
    """A line of a file; lines count from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, order=True)
class Mistake:
    """What is wrong, and where."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass
class Located:
    """A document with the place of each of its values."""

    value: Any
    places: dict[Path_, Place]
    mistakes: list[Mistake] = field(default_factory=list)

    def place(self, path: Path_) -> Place:
        """Where the value stands; of one that is not written down, where its nearest surrounding does."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places[path]

    def mistake(self, message: str, *path: str | int) -> Mistake:
        """Something wrong with the value at `path`."""
        return Mistake(self.place(path), message)


class _Core(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own way)


for _tag, _pattern, _first in (
    ("tag:yaml.org,2002:bool", r"^(?:true|false)$", "tf"),
    ("tag:yaml.org,2002:null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("tag:yaml.org,2002:int", r"^-?(?:0|[1-9][0-9]{0,4})$", "-0123456789"),
    ("tag:yaml.org,2002:float", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$", "-0123456789"),
):
    _Core.add_implicit_resolver(_tag, re.compile(_pattern), list(_first))


def read_yaml(path: Path, shown: str) -> Located:
    """The document of a YAML file, `shown` being its name in messages. Mistakes of syntax are in `mistakes`."""
    top = Place(shown, 1)
    try:
        loader = _Core(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
    except FileNotFoundError:
        return Located({}, {(): top}, [Mistake(top, "the file is missing")])
    except UnicodeDecodeError as wrong:
        return Located({}, {(): top}, [Mistake(top, f"not UTF-8: {wrong}")])
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        line = mark.line + 1 if mark else 1
        return Located({}, {(): top}, [Mistake(Place(shown, line), f"not YAML: {wrong.problem}")])
    found = Located({}, {(): top})
    if node is not None:
        found.value = _value(node, (), shown, loader, found)
    if not isinstance(found.value, dict):
        found.mistakes.append(Mistake(top, "must be a mapping of names to values"))
        found.value = {}
    return found


def _value(node: yaml.Node, path: Path_, shown: str, loader: _Core, found: Located) -> Any:
    found.places[path] = Place(shown, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_value(each, (*path, i), shown, loader, found) for i, each in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(node, path, shown, loader, found))
    return loader.construct_object(node)


def _pairs(
    node: yaml.MappingNode, path: Path_, shown: str, loader: _Core, found: Located
) -> Iterator[tuple[str, Any]]:
    seen: set[str] = set()
    for key_node, value_node in node.value:
        key = str(key_node.value)
        place = Place(shown, key_node.start_mark.line + 1)
        if key in seen:
            found.mistakes.append(Mistake(place, f"{key} is written twice"))
        seen.add(key)
        value = _value(value_node, (*path, key), shown, loader, found)
        found.places[(*path, key)] = place
        yield key, value


def read_csv(path: Path, shown: str, columns: tuple[str, ...]) -> Located:
    """The rows of a CSV file as dicts without the empty cells; row `i` has the path `(i,)`."""
    top = Place(shown, 1)
    found = Located([], {(): top})
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            for column in sorted(set(header) ^ set(columns)):
                what = "is missing" if column in columns else "is unknown"
                found.mistakes.append(Mistake(top, f"the column {column} {what}"))
            for cells in reader:
                if any(cells):
                    _add_row(found, header, cells, Place(shown, reader.line_num))
    except FileNotFoundError:
        found.mistakes.append(Mistake(top, "the file is missing"))
    except UnicodeDecodeError as wrong:
        found.mistakes.append(Mistake(top, f"not UTF-8: {wrong}"))
    return found


def _add_row(found: Located, header: list[str], cells: list[str], place: Place) -> None:
    if len(cells) != len(header):
        found.mistakes.append(Mistake(place, f"{len(cells)} cells where the header has {len(header)}"))
    found.places[(len(found.value),)] = place
    found.value.append(
        {name: cell.strip() for name, cell in zip(header, cells, strict=False) if cell.strip()}
    )
