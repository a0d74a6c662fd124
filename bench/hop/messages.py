"""Makes the incidents of a run: real contracts, thirteen fields of data, invented words."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from wangge.chassis.ids import new_id

#: Half of the incidents lie in each of these communities, so that two cells share the work evenly.
COMMUNITIES = ("140802001001", "140802002001")


def incident(number: int) -> dict[str, Any]:
    """The `number`-th incident of a run, as a CloudEvent whose type is `incident.reported.v1`."""
    now = datetime.now(UTC).isoformat()
    area = COMMUNITIES[number % len(COMMUNITIES)]
    return {
        "specversion": "1.0",
        "id": new_id(),
        "source": "https://hotline.example/12345",
        "type": "incident.reported.v1",
        "subject": f"12345-{number}",
        "time": now,
        "datacontenttype": "application/json",
        "area": area,
        "partitionkey": f"12345-{number}",
        "data": _data(number, area, now),
    }


def _data(number: int, area: str, now: str) -> dict[str, Any]:
    return {
        "text": f"第 {number} 件：小区东门外电线垂落，离地不到两米，放学时孩子从下面经过，请尽快派人处理。",
        "title": f"电线垂落（{number}）",
        "occurred_at": now,
        "channel": "hotline_12345",
        "category": "E0508",
        "urgency": "high",
        "area": area,
        "location": {
            "lng": 110.99 + number % 97 / 10_000,
            "lat": 35.02,
            "address": f"河东街 {number % 300} 号",
        },
        "external_no": f"12345-{number}",
        "reporter_ref": f"caller-{number}",
        "evidence": [
            {
                "url": f"https://hotline.example/photos/{number}.jpg",
                "sha256": hashlib.sha256(str(number).encode()).hexdigest(),
                "kind": "photo_near",
            }
        ],
    }
