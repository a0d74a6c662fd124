"""The probe."""

import os
from collections.abc import Sequence
from typing import Any

import eventlet
from eventlet.patcher import original
from marshmallow import RAISE, Schema, fields, validate
from sqlalchemy import text

from wangge.chassis.delivery import Delivery
from wangge.chassis.errors import Conflict, NotFound, Permanent, Temporary
from wangge.chassis.http import Ask, route
from wangge.chassis.pages import PageQuery, key_of, page
from wangge.chassis.service import Service, on
from wangge.chassis.transaction import Transaction
from wangge.contracts.envelope import Event

#: With what the process ends where a thing kills it.
DIED = 9


def misbehave(tx: Transaction, mood: str, seconds: float) -> None:
    """Do to the process what the mood says."""
    match mood:
        case "dies":
            os._exit(DIED)
        case "hangs":
            eventlet.sleep(600)
        case "escapes":
            with eventlet.Timeout(0.05):
                eventlet.sleep(600)
        case "queries":
            tx.execute(text("SELECT pg_sleep(20)"))
        case "slow":
            eventlet.sleep(seconds)
        case "burns":
            original("time").sleep(seconds)
        case _:
            raise failure(mood)


def failure(mood: str) -> Exception:
    """What the handler raises."""
    match mood:
        case "away":
            return Temporary("the neighbour is away")
        case "no":
            return Conflict("thing.no", "不行", "no")
        case _:
            return KeyError("nobody thought of this")


class ThingBody(Schema):
    class Meta:
        unknown = RAISE

    name = fields.String(required=True, validate=validate.Length(1, 20))
    size = fields.Integer(required=True, validate=validate.Range(1, 9))


class Thing(Schema):
    name = fields.String()
    size = fields.Integer()
    version = fields.Integer()


class GiftBody(Schema):
    class Meta:
        unknown = RAISE

    name = fields.String(required=True)
    mood = fields.String(load_default="well")
    seconds = fields.Float(load_default=0.0)


class ThingPage(Schema):
    items = fields.List(fields.Nested(Thing))
    next_cursor = fields.String(allow_none=True)


class Probe(Service):
    """Shows the chassis at work."""

    name = "probe"

    @on("thing.told.v1")
    def on_thing_told(self, tx: Transaction, event: Event) -> None:
        mood = event.data["mood"]
        if (
            mood != "well"
            and not tx.execute(text("SELECT 1 FROM mended WHERE what = :m"), {"m": mood}).first()
        ):
            misbehave(tx, mood, event.data["seconds"])
        tx.execute(
            text("INSERT INTO effect (event_id, key, number, cell) VALUES (:e, :k, :n, :c)"),
            {"e": event.id, "k": event.data["key"], "n": event.data["number"], "c": self.app.settings.cell},
        )
        tx.record("thing.done.v1", event.data)

    @on("thing.told.v1")
    def on_thing_told_too(self, tx: Transaction, event: Event) -> None:
        counted = text(
            "INSERT INTO heard VALUES (:k, 1) ON CONFLICT (key) DO UPDATE SET times = heard.times + 1"
        )
        tx.execute(counted, {"k": event.data["key"]})

    def quarantined(self, tx: Transaction, delivery: Delivery, fault: Permanent) -> None:
        if tx.execute(text("SELECT 1 FROM mended WHERE what = 'hook fails'")).first():
            raise KeyError("a bug in the hook")

    def repeated(self, tx: Transaction, event: Event) -> None:
        tx.execute(
            text("INSERT INTO mended VALUES (:w) ON CONFLICT DO NOTHING"), {"w": f"repeated {event.id}"}
        )

    @route("POST", "/v1/things", may=["maker"], body=ThingBody(), answer=Thing(), status=201)
    def make_thing(self, tx: Transaction, ask: Ask) -> Any:
        """Make a thing."""
        made = tx.execute(
            text("INSERT INTO thing VALUES (:name, :size, 1) ON CONFLICT DO NOTHING RETURNING *"), ask.body
        ).first()
        if made is None:
            raise Conflict("thing.exists", "已存在", "it exists")
        return made._mapping

    def look_at_gifts(self, tx: Transaction, asks: Sequence[Ask]) -> None:
        """Note how many gifts came together."""
        note = f"{len(asks)} gifts, first {asks[0].body['name']}"
        tx.execute(text("INSERT INTO mended VALUES (:n)"), {"n": note})

    @route("POST", "/v1/gifts", body=GiftBody(), answer=Thing(), status=201, shared=look_at_gifts)
    def give(self, tx: Transaction, ask: Ask) -> Any:
        """Make a thing, together with whoever makes one at the same time."""
        if ask.body["mood"] != "well":
            misbehave(tx, ask.body["mood"], ask.body["seconds"])
        row = {"name": ask.body["name"], "size": 1, "version": 1}
        tx.execute(text("INSERT INTO thing VALUES (:name, :size, :version)"), row)
        tx.record("thing.done.v1", {"key": ask.body["name"], "number": 1, "area": "140802"})
        return row

    @route("PUT", "/v1/things/<name>", may=["maker"], body=ThingBody(), answer=Thing())
    def change_thing(self, tx: Transaction, ask: Ask, name: str) -> Any:
        """Change a thing."""
        row = tx.execute(text("SELECT version FROM thing WHERE name = :n FOR UPDATE"), {"n": name}).first()
        if row is None:
            raise NotFound("thing.not_found", "不存在", "no such thing")
        ask.expect_version(row.version)
        changed = text("UPDATE thing SET size = :s, version = version + 1 WHERE name = :n RETURNING *")
        return tx.execute(changed, {"s": ask.body["size"], "n": name}).one()._mapping

    @route("GET", "/v1/things", query=PageQuery(), answer=ThingPage())
    def list_things(self, tx: Transaction, ask: Ask) -> Any:
        """Things by name."""
        after = key_of(ask.query["cursor"], 1) or [""]
        limit = ask.query["limit"]
        rows = tx.execute(
            text("SELECT * FROM thing WHERE name > :a ORDER BY name LIMIT :l"),
            {"a": after[0], "l": limit + 1},
        )
        return page([row._mapping for row in rows], limit, lambda row: (row["name"],))
