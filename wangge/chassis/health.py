"""Tells on a port of its own whether the process lives, is ready and how it fares; moves the clock where allowed.

`/health/live` checks no dependency: it answers as long as the process turns. `/health/ready` does. Both work while all
workers are busy.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import eventlet
import orjson
from eventlet import wsgi
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from sqlalchemy import Select, func, select
from werkzeug.wrappers import Request, Response

from wangge.chassis import metrics
from wangge.chassis.bodies import parse_json
from wangge.chassis.clock import movable
from wangge.chassis.errors import Refusal, invalid
from wangge.chassis.faults import classify
from wangge.chassis.problems import problem_of
from wangge.chassis.schema import is_at_head
from wangge.chassis.tables import held_event, outbox
from wangge.chassis.web import send_at_once

HELD_STATES = ("deferred", "in_transit", "quarantined")
"""The states in which a held event waits for something."""

#: Seconds within which a dependency must answer to count as there.
CHECK_SECONDS = 2.0

#: Rows up to which the metrics count: more than so many are as bad as so many, and counting them all takes seconds.
MOST_COUNTED = 100_000


def _counted(rows: Select[Any]) -> Select[Any]:
    return select(func.count()).select_from(rows.limit(MOST_COUNTED).subquery())


_PENDING = _counted(select(outbox.c.id).where(outbox.c.published_at.is_(None)).order_by(outbox.c.id))
_OLDEST = (
    select(func.extract("epoch", func.now() - outbox.c.created_at))
    .where(outbox.c.published_at.is_(None))
    .order_by(outbox.c.id)
    .limit(1)
)
_HELD = {state: _counted(select(held_event.c.id).where(held_event.c.state == state)) for state in HELD_STATES}


class HealthServer:
    """A small web server beside the service."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._listener: Any = None
        self._thread: Any = None
        self._at_head = False

    def start(self) -> None:
        """Listen."""
        settings = self._app.settings
        metrics.CELL.info(
            {"service": settings.service, "cell": settings.cell, "areas": ",".join(settings.areas)}
        )
        self._listener = eventlet.listen((settings.http_host, settings.health_port))
        send_at_once(self._listener)
        self._thread = eventlet.spawn(wsgi.server, self._listener, self._answer, log_output=False)

    def stop(self) -> None:
        """Close the port."""
        self._thread.kill()
        self._listener.close()

    def _answer(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        try:
            response = self._route(request)
        except Refusal as refusal:
            document = problem_of(refusal, request.headers.get("Accept-Language"))
            response = _json(document, refusal.status)
        except Exception as error:
            response = _json({"error": str(classify(error))}, 500)
        return response(environ, start_response)

    def _route(self, request: Request) -> Response:
        match (request.method, request.path):
            case ("GET", "/health/live"):
                return self._live()
            case ("GET", "/health/ready"):
                return self._ready()
            case ("GET", "/metrics"):
                return self._metrics()
            case ("GET", "/clock"):
                return self._clock()
            case ("PUT", "/clock"):
                self._move_clock(request)
                return self._clock()
            case _:
                return _json({"error": "not found"}, 404)

    def _live(self) -> Response:
        consumer = self._app.consumer
        still = monotonic() - consumer.ticked_at if consumer and consumer.is_consuming else 0.0
        alive = still < self._app.settings.stuck_seconds
        return _json({"alive": alive, "consumer_still_seconds": round(still, 1)}, _status(alive))

    def _ready(self) -> Response:
        app = self._app
        checks = {
            "database": self._check(app.database.ping),
            "schema": self._check(self._schema),
            "broker": self._consuming(),
            "publishing": app.relay.trouble or "ok",
            "outbox": app.backlog.trouble or "ok",
            **({"redis": self._check(app.redis.ping)} if app.service.uses_redis else {}),
            "draining": "no" if not self._app.is_draining else "yes",
        }
        # Redis holds only what can be rebuilt: without it the service still does its work. Facts that wait are kept:
        # then commands may be refused, but what is known can still be read here and at no other process.
        ready = (
            all(checks[name] == "ok" for name in ("database", "schema", "broker"))
            and not self._app.is_draining
        )
        return _json(
            {
                "service": self._app.settings.service,
                "cell": self._app.settings.cell,
                "areas": self._app.settings.areas,
                "ready": ready,
                "checks": checks,
            },
            _status(ready),
        )

    def _consuming(self) -> str:
        consumer = self._app.consumer
        return "ok" if consumer and consumer.is_consuming else f"not consuming: {consumer.trouble}"

    def _check(self, act: Callable[[], object]) -> str:
        try:
            with eventlet.Timeout(CHECK_SECONDS):
                act()
        except eventlet.Timeout:
            return "no answer"
        except Exception as error:
            return str(classify(error)).strip().split("\n")[0]
        return "ok"

    def _schema(self) -> None:
        if not self._at_head:
            self._at_head = is_at_head(self._app.database.engine, self._app.migrations)
        if not self._at_head:
            raise RuntimeError("migrations are missing")

    def _metrics(self) -> Response:
        with self._app.database.look() as connection:
            metrics.OUTBOX_PENDING.set(connection.execute(_PENDING).scalar_one())
            metrics.OUTBOX_AGE.set(float(connection.execute(_OLDEST).scalar() or 0))
            for state, count in _HELD.items():
                metrics.HELD.labels(state).set(connection.execute(count).scalar_one())
        return Response(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)

    def _clock(self) -> Response:
        clock = self._app.clock
        stands_at = getattr(clock, "stands_at", None)
        return _json(
            {
                "now": clock.now(),
                "movable": self._app.settings.movable_clock,
                "stands_at": stands_at,
            }
        )

    def _move_clock(self, request: Request) -> None:
        clock = movable(self._app.clock)
        wish = parse_json(request.get_data())
        match wish:
            case {"set": str(at)}:
                clock.set(_instant(at))
            case {"advance": int() | float() as seconds} if seconds >= 0:
                clock.advance(timedelta(seconds=seconds))
            case {"release": True}:
                clock.release()
            case _:
                raise invalid(
                    [{"field": "body", "message": "set: instant, advance: seconds, or release: true"}]
                )
        self._app.save_clock()


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as wrong:
        raise invalid([{"field": "set", "message": str(wrong)}]) from wrong
    if at.tzinfo is None:
        raise invalid([{"field": "set", "message": "the instant needs an offset, for example +08:00"}])
    return at


def _status(good: bool) -> int:
    return 200 if good else 503


def _json(document: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(document, option=orjson.OPT_UTC_Z), status, content_type="application/json")
