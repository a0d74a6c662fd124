"""Makes a valid example of any event type from its contract, in a given area, with fresh numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from marshmallow import Schema, fields, validate

from wangge.contracts.areas import Area
from wangge.contracts.envelope import Event
from wangge.contracts.events import REGISTRY
from wangge.contracts.fields import CASE_NO, PERSON_ID, REFERENCE, REPORT_CODE, AreaField

ENDED = {"status": "ended"}
"""A directory entry that nobody will be sent to."""


@dataclass
class Samples:
    """Examples of one run: numbers and references that no other run has used.

    `category`, `person` and `unit` are what the site pack of the area knows; `sealed` is a contact sealed to notify's
    key, where there is one.
    """

    area: str
    run: str
    category: str = "E0508"
    person: str = "conformance"
    unit: str = "conformance"
    sealed: str = ""
    _numbers: Any = field(default_factory=lambda: count(1))

    def event(self, event_type: str, key: str | None = None, sequence: int = 1, **data: Any) -> Event:
        """One event of this type; those of one `key` are of one aggregate. Raises marshmallow's `ValidationError`."""
        contract = REGISTRY[event_type]
        number = next(self._numbers)
        made = self._object(contract.loader, f"{key or number}")
        made |= self._sensible(contract.loader, event_type) | data
        contract.loader.load(made)
        subject = str(made.get(contract.subject, ""))
        return Event(
            id=f"conformance-{self.run}-{number}",
            source="https://conformance.example/kit"
            if contract.owner == "external"
            else f"/wangge/{contract.owner}",
            type=event_type,
            subject=subject,
            time=datetime.now(UTC),
            data=made,
            area=made.get("area"),
            partitionkey=str(made.get(contract.partition) or subject),
            sequence=sequence,
            correlationid=f"conformance-{self.run}-c{number}",
            dataschema=contract.dataschema,
        )

    def _sensible(self, schema: Schema, event_type: str) -> dict[str, Any]:
        """What a site knows, in the place of plain words: its category, its people, a reporter who is to be told."""
        resident = f"resident:conformance-{self.run}"
        wanted: Mapping[str, Any] = {
            "category": self.category,
            "reporters": [resident],
            "reporter": {"ref": resident, "wants_reply": True, "confidential": False},
            "helpers": [{"person_id": self.person, "part": "helper"}],
            "lead": self.unit,
            "sealed": self.sealed or "not sealed",
            "evidence": [],
            "assist": [],
        }
        known = {name: value for name, value in wanted.items() if name in schema.fields}
        if event_type.startswith("points."):
            known["person_id"] = self.person
        if event_type == "grid.changed.v1":
            return {"area": f"{Area.parse(self.area).code[:12]:0<12}99900", "status": "retired"}
        return known | (ENDED if event_type.endswith(".changed.v1") else {})

    def _object(self, schema: Schema, key: str) -> dict[str, Any]:
        return {name: self._value(each, key) for name, each in schema.fields.items() if each.required}

    def _value(self, of: fields.Field[Any], key: str) -> Any:
        chosen = _choice(of)
        if chosen is not None:
            return chosen
        if isinstance(of, AreaField):
            return Area.parse(self.area).code
        if isinstance(of, fields.Nested):
            return self._object(of.schema, key)
        if isinstance(of, fields.AwareDateTime):
            return datetime.now(UTC).isoformat(timespec="seconds")
        return _plain(of, _patterned(of, self._words(key)))

    def _words(self, key: str) -> dict[str, str]:
        """A value for each pattern of the contracts, the same for the same key."""
        serial = int(key) if key.isdigit() else sum(map(ord, key))
        run = int(re.sub(r"\D", "", self.run) or 0) % 10_000
        county = Area.parse(self.area).code[:6].ljust(6, "0")
        return {
            CASE_NO: f"{county}20991231{run % 1000 * 100 + serial % 100:05d}",
            REPORT_CODE: f"BG20991231-{run:04d}{serial:06d}",
            PERSON_ID: f"conformance-{self.run}-{key}",
            REFERENCE: f"resident:conformance-{self.run}",
        }


def _choice(of: fields.Field[Any]) -> Any:
    return next(
        (next(iter(each.choices)) for each in of.validators if isinstance(each, validate.OneOf)), None
    )


def _patterned(of: fields.Field[Any], words: Mapping[str, str]) -> str | None:
    patterns = [str(each.regex.pattern) for each in of.validators if isinstance(each, validate.Regexp)]
    return next((words[pattern] for pattern in patterns if pattern in words), None)


def _plain(of: fields.Field[Any], patterned: str | None) -> Any:
    match of:
        case fields.Boolean():
            return True
        case fields.Decimal():
            return "1"
        case fields.Float():
            return 1.0
        case fields.Integer():
            return 1
        case fields.List():
            return []
        case _:
            return patterned or "一致性检查"
