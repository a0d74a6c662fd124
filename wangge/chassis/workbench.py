"""What operators do with held events, one by one or by cause and sender: correct, replay, drop.

Guarantee: every act is noted with who, when and why; a replay keeps the event's id, and the inbox lets it take effect
once, however often it is asked for. Limit: an act on many takes a portion at a time and says where to go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select, update

from wangge.chassis import metrics
from wangge.chassis.chosen import Chosen, acts_on, columns, states
from wangge.chassis.claims import claim_of
from wangge.chassis.delivery import Delivery, read
from wangge.chassis.errors import Conflict, FieldError, NotFound, Permanent, Refusal, invalid
from wangge.chassis.held import GOING_ON, WAITING, delivery_of, end, mark_source, soon
from wangge.chassis.tables import held_act, held_event, inbox
from wangge.chassis.transaction import Transaction
from wangge.contracts.envelope import Event
from wangge.contracts.registry import Registry

#: Events that one request on a group acts on: each is read by its contract, and the answer must not be long in coming.
PORTION = 200

CHINA = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Acted:
    """What became of a portion: whose turn it was, which were refused and why, how many are still quarantined.

    `after` is where the next portion begins, None at the end.
    """

    ids: Sequence[int]
    refused: Sequence[tuple[int, Refusal]]
    left: int
    after: int | None


class Workbench:
    """The operators' side of the held events of one service."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def show(self, tx: Transaction, held_id: int) -> dict[str, Any]:
        """One held event, whole, with what operators did. Raises `NotFound`."""
        return {**self._find(tx, held_id), "acts": acts_on(tx, held_id)}

    # acting on one

    def edit(self, tx: Transaction, held_id: int, body: str, by: str, reason: str) -> dict[str, Any]:
        """Correct a quarantined message. It stays whose it is: id, source and actor cannot be changed.

        Raises `NotFound`, `Conflict` unless it is quarantined, `Invalid` with every field that is still wrong.
        """
        row = self._quarantined(tx, held_id)
        event = self._read(delivery_of({**row, "body": body}))
        wrong = changed_claims(row, event)
        if wrong:
            raise invalid(wrong)
        self._note(tx, [held_id], "edit", by, reason, before=row["body"], after=body)
        tx.execute(update(held_event).where(columns.id == held_id).values(_read_as(event) | {"body": body}))
        return self.show(tx, held_id)

    def replay(self, tx: Transaction, held_id: int, by: str) -> tuple[dict[str, Any], bool]:
        """Give a quarantined event another full budget; same event id. False where it is being tried already.

        Raises `NotFound`, `Conflict` for one that was processed or dropped, `Invalid` for one that is still wrong.
        """
        row = self._find(tx, held_id, lock=True)
        if row["state"] in GOING_ON:
            return self.show(tx, held_id), False
        _refuse_ended(row)
        self._replay(tx, [self._replayable(tx, row)], by)
        return self.show(tx, held_id), True

    def drop(self, tx: Transaction, held_id: int, by: str, reason: str) -> Delivery:
        """Give a quarantined event up, with a reason; the row stays. Raises `NotFound`, `Conflict`."""
        row = self._quarantined(tx, held_id)
        self._drop(tx, [held_id], by, reason)
        return delivery_of(row)

    # acting on many

    def replay_many(self, tx: Transaction, chosen: Chosen, after: int, by: str) -> Acted:
        """Replay a portion of the quarantined ones among the chosen; what cannot be replayed is named and stays."""
        rows = self._portion(tx, chosen, after)
        good, refused = [], []
        for row in rows:
            try:
                good.append(self._replayable(tx, row))
            except Refusal as refusal:
                refused.append((row["id"], refusal))
        self._replay(tx, good, by)
        return self._acted(tx, chosen, rows, [row["id"] for row, _ in good], refused)

    def drop_many(
        self, tx: Transaction, chosen: Chosen, after: int, by: str, reason: str
    ) -> tuple[Acted, list[Delivery]]:
        """Give up a portion of the quarantined ones among the chosen."""
        rows = self._portion(tx, chosen, after)
        ids = [row["id"] for row in rows]
        self._drop(tx, ids, by, reason)
        return self._acted(tx, chosen, rows, ids, []), [delivery_of(row) for row in rows]

    def _portion(self, tx: Transaction, chosen: Chosen, after: int) -> list[dict[str, Any]]:
        query = (
            select(held_event)
            .where(columns.state == "quarantined", columns.id > after, *chosen.conditions())
            .order_by(columns.id)
            .limit(PORTION)
            .with_for_update()
        )
        return [dict(row) for row in tx.execute(query).mappings()]

    def _acted(
        self,
        tx: Transaction,
        chosen: Chosen,
        rows: Sequence[dict[str, Any]],
        ids: Sequence[int],
        refused: Sequence[tuple[int, Refusal]],
    ) -> Acted:
        after = rows[-1]["id"] if len(rows) == PORTION else None
        return Acted(ids, refused, states(tx, chosen).get("quarantined", 0), after)

    # the parts of an act

    def _find(self, tx: Transaction, held_id: int, *, lock: bool = False) -> dict[str, Any]:
        query = select(held_event).where(columns.id == held_id)
        row = tx.execute(query.with_for_update() if lock else query).mappings().first()
        if row is None:
            raise NotFound("held.not_found", "没有这条滞留消息", f"no held event {held_id}")
        return dict(row)

    def _quarantined(self, tx: Transaction, held_id: int) -> dict[str, Any]:
        row = self._find(tx, held_id, lock=True)
        _refuse_ended(row)
        if row["state"] in GOING_ON:
            raise Conflict(
                "held.waiting",
                "系统正在自动重试该消息，请等它处理完或被隔离后再操作",
                f"held event {row['id']} is being tried again by itself: wait until it is done or quarantined",
            )
        return row

    def _replayable(self, tx: Transaction, row: dict[str, Any]) -> tuple[dict[str, Any], Event]:
        event = self._read(delivery_of(row))
        done = select(inbox.c.processed_at).where(
            inbox.c.source == mark_source(event), inbox.c.event_id == event.id
        )
        processed_at = tx.execute(done).scalar()
        if processed_at:
            raise Conflict(
                "held.processed",
                f"同一条消息已于 {_moment(processed_at)} 处理，请改为丢弃本条",
                f"the same message was processed on {_moment(processed_at)}: drop this one instead",
            )
        return row, event

    def _replay(self, tx: Transaction, good: Sequence[tuple[dict[str, Any], Event]], by: str) -> None:
        again = {"state": "deferred", "attempts": 0, "not_before": soon(), "replayed_at": soon()}
        for row, event in good:
            tx.execute(update(held_event).where(columns.id == row["id"]).values(again | _read_as(event)))
        self._note(tx, [row["id"] for row, _ in good], "replay", by)

    def _drop(self, tx: Transaction, ids: Sequence[int], by: str, reason: str) -> None:
        end(tx, ids, "dropped", by, reason)
        self._note(tx, ids, "drop", by, reason)
        for _ in ids:
            metrics.held_ended("dropped")

    @staticmethod
    def _note(
        tx: Transaction, ids: Sequence[int], command: str, by: str, reason: str | None = None, **bodies: str
    ) -> None:
        if ids:
            rows = [{"held_id": id_, "command": command, "by": by, "reason": reason, **bodies} for id_ in ids]
            tx.execute(insert(held_act), rows)

    def _read(self, delivery: Delivery) -> Event:
        try:
            return read(delivery, self._registry)
        except Permanent as wrong:
            raise invalid(wrong.errors) from wrong


def changed_claims(row: dict[str, Any], event: Event) -> list[FieldError]:
    """What of an edited message would make it somebody else's, or another message.

    One that named no id keeps the one under which its sender was answered; one that names no source and for which
    no login is vouched is nobody's, and is not made anybody's here.
    """
    before = claim_of(delivery_of(row))
    errors: list[FieldError] = []
    if event.id != row["message_id"]:
        errors.append({"field": "id", "message": f"must stay {row['message_id']}"})
    if before.source and event.source != before.source:
        errors.append({"field": "source", "message": f"must stay {before.source}"})
    if not before.source and not row["origin"]:
        message = "nobody knows whose it is: drop it, its sender will send it again"
        errors.append({"field": "source", "message": message})
    if (event.actor or "") != before.actor:
        errors.append({"field": "actor", "message": f"must stay {before.actor or 'absent'}"})
    return errors


def _read_as(event: Event) -> dict[str, Any]:
    return {
        "type": event.type,
        "partitionkey": event.partitionkey,
        "source": mark_source(event),
        "event_id": event.id,
    }


def _refuse_ended(row: dict[str, Any]) -> None:
    if row["state"] in WAITING:
        return
    when, who, why = _moment(row["ended_at"]), row["ended_by"], row["reason"]
    if row["state"] == "done":
        raise Conflict(
            "held.processed",
            f"该消息已于 {when} 处理完毕，无需再操作",
            f"it was settled on {when} ({why}): nothing is left to do",
        )
    raise Conflict(
        "held.dropped",
        f"该消息已于 {when} 由 {who} 丢弃（{why}），请让发送方重新发送",
        f"it was dropped on {when} by {who} ({why}): let its sender send it again",
    )


def _moment(at: datetime) -> str:
    return f"{at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}"
