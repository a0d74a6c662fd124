"""Opens the HTTP door: a route authenticates, loads with a schema, opens the transaction, calls, dumps, answers.

A refusal becomes an RFC 9457 problem with every wrong field. With an `Idempotency-Key` the answer is stored in the
command's own transaction, so a repeated request gets the first answer and has no second effect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import orjson
from marshmallow import Schema
from werkzeug.wrappers import Request, Response

from wangge.chassis import idempotency, metrics
from wangge.chassis.auth import Principal
from wangge.chassis.bodies import MAX_BODY_BYTES, body_of, load, parse_json
from wangge.chassis.errors import Stale, Temporary
from wangge.chassis.faults import classify
from wangge.chassis.ids import new_id
from wangge.chassis.logging import bound, get_logger
from wangge.chassis.problems import refuse
from wangge.chassis.sharing import Command, Sharing
from wangge.chassis.transaction import Cause, Transaction
from wangge.chassis.web import Route
from wangge.contracts import quick

log = get_logger(__name__)

JSON = "application/json"

IDEMPOTENCY_KEY = "Idempotency-Key"

#: Times that a command is tried when the database asks to try again.
TRIES = 3

NOBODY = Principal("")


@dataclass(frozen=True)
class Ask:
    """What was asked: by whom, with which body and query, expecting which version."""

    who: Principal
    body: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def expect_version(self, version: int) -> None:
        """Refuse when `If-Match` names another version than the present one."""
        wanted = self.headers.get("If-Match", "").strip().strip('"')
        if wanted and wanted != "*" and wanted != str(version):
            raise Stale(
                "version.stale", "内容已被他人更新，请刷新后重试", f"the current version is {version}"
            )


@dataclass(frozen=True)
class Reply:
    """An answer with another status or further headers than the route's own."""

    body: Any
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Prepare = Callable[[Any, Transaction, Sequence[Ask]], None]
"""Asks once, in a transaction of several commands, for what all of them need: `(service, tx, asks)`."""


@dataclass(frozen=True)
class RouteSpec:
    """What a route promises: the door, who may pass, what goes in and out; OpenAPI is made from it."""

    method: str
    path: str
    may: frozenset[str]
    is_public: bool
    body: Schema | None
    query: Schema | None
    answer: Schema | None
    status: int
    many: bool
    is_raw: bool
    tag: str
    summary: str
    max_bytes: int
    shared: Prepare | None

    @property
    def is_command(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"


def route(
    method: str,
    path: str,
    *,
    may: Iterable[str] = (),
    is_public: bool = False,
    body: Schema | None = None,
    query: Schema | None = None,
    answer: Schema | None = None,
    status: int = 200,
    many: bool = False,
    is_raw: bool = False,
    tag: str = "",
    max_bytes: int = MAX_BODY_BYTES,
    shared: Prepare | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a service method `(self, tx, ask, **path)` answer `method path`.

    `may` lists the roles that may pass (empty: anybody with a valid token), `is_public` needs no token. The method
    answers what `answer` dumps, or a `Reply`. `is_raw` methods are `(self, who, request, **path)`, get no transaction
    and answer a werkzeug `Response` (streams). Commands of a route with `shared` that come at the same time share a
    transaction; they must refuse before they write (wangge.chassis.sharing).
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        summary = (function.__doc__ or function.__name__).strip().split("\n")[0]
        spec = RouteSpec(
            method,
            path,
            frozenset(may),
            is_public,
            body,
            query,
            answer,
            status,
            many,
            is_raw,
            tag,
            summary,
            max_bytes,
            shared,
        )

        @wraps(function)
        def answered(self: Any, request: Request, **path_values: Any) -> Response:
            return _answer(self, function, spec, request, path_values)

        answered.__wangge_route__ = spec  # type: ignore[attr-defined]
        entry: Callable[..., Any] = Route.decorator(method, path)(answered)
        return entry

    return decorate


def routes_of(service: type) -> list[tuple[str, RouteSpec]]:
    """Every route of a service class, by method name, in the order of paths."""
    found = [
        (name, spec)
        for name in dir(service)
        if (spec := getattr(getattr(service, name, None), "__wangge_route__", None)) is not None
    ]
    return sorted(found, key=lambda item: (item[1].path, item[1].method))


def _answer(
    service: Any, function: Callable[..., Any], spec: RouteSpec, request: Request, path_values: dict[str, Any]
) -> Response:
    started = time.perf_counter()
    correlation_id = request.headers.get("X-Correlation-ID", "")[:128] or new_id()
    with bound(correlation_id=correlation_id):
        try:
            response = _call(service, function, spec, request, path_values, correlation_id)
        except Exception as error:
            response = refuse(error, request)
    response.headers["X-Correlation-ID"] = correlation_id
    metrics.request(f"{spec.method} {spec.path}", response.status_code, time.perf_counter() - started)
    return response


def _call(
    service: Any,
    function: Callable[..., Any],
    spec: RouteSpec,
    request: Request,
    path_values: dict[str, Any],
    correlation_id: str,
) -> Response:
    app = service.app
    who = _admitted(app, spec, request)
    if spec.is_raw:
        response: Response = function(service, who, request, **path_values)
        return response
    query = load(spec.query, request.args.to_dict()) if spec.query else {}
    raw = body_of(request, spec.max_bytes) if spec.body else b""
    body = load(spec.body, parse_json(raw)) if spec.body else {}
    ask = Ask(who, body, query, dict(request.headers))
    cause = Cause(correlation_id, None, who.id or None, request.headers.get("traceparent"))

    def once(tx: Transaction) -> Response:
        if spec.is_command:
            return _commanded(service, function, spec, request, raw, tx, ask, path_values)
        return _dumped(spec, function(service, tx, ask, **path_values))

    def alone() -> Response:
        return _tried(app, cause, once)

    if (
        spec.shared is None or IDEMPOTENCY_KEY in request.headers
    ):  # with a key something is written before a refusal
        return alone()
    command = Command((service, ask), cause, once)
    return _sharing(app, spec, spec.shared).run(command, alone)


def _admitted(app: Any, spec: RouteSpec, request: Request) -> Principal:
    """Who asks. Raises `Unauthenticated`, `Forbidden`, and for a command `Backpressure` while facts cannot leave."""
    who = NOBODY
    if not spec.is_public:
        who = app.authenticator.who(request.headers.get("Authorization"), request.headers.get("X-API-Key"))
        if spec.may:
            who.require_role(spec.may)
    if spec.is_command:
        app.backlog.require_room()
    return who


def _sharing(app: Any, spec: RouteSpec, shared: Prepare) -> Sharing[tuple[Any, Ask], Response]:
    """Where commands of this route meet in this process."""

    def prepare(tx: Transaction, asked: Sequence[tuple[Any, Ask]]) -> None:
        shared(asked[0][0], tx, [ask for _, ask in asked])

    door = f"{spec.method} {spec.path}"
    if door not in app.sharing:
        app.sharing[door] = Sharing(app.database, prepare)
    found: Sharing[tuple[Any, Ask], Response] = app.sharing[door]
    return found


def _tried(app: Any, cause: Cause, once: Callable[[Transaction], Response]) -> Response:
    """Run the command in a transaction; again when the database asks for it (serialization, deadlock)."""
    for _ in range(TRIES - 1):
        try:
            with app.database.begin(cause) as tx:
                return once(tx)
        except Exception as error:
            if not isinstance(classify(error), Temporary):
                raise
            log.info("command tried again", cause=str(error))
    with app.database.begin(cause) as tx:
        return once(tx)


def _commanded(
    service: Any,
    function: Callable[..., Any],
    spec: RouteSpec,
    request: Request,
    raw: bytes,
    tx: Transaction,
    ask: Ask,
    path_values: dict[str, Any],
) -> Response:
    key = request.headers.get(IDEMPOTENCY_KEY, "")
    if not key:
        return _dumped(spec, function(service, tx, ask, **path_values))
    scope = f"{ask.who.id} {request.method} {request.path}"
    kept = idempotency.claim(tx, scope, key, raw)
    if kept is not None:
        return _replayed(kept)
    response = _dumped(spec, function(service, tx, ask, **path_values))
    idempotency.keep(tx, scope, key, response.status_code, response.get_data(as_text=True))
    return response


def _replayed(kept: idempotency.Kept) -> Response:
    response = Response(kept.body, kept.status, content_type=JSON)
    response.headers["Idempotent-Replay"] = "true"
    return _tagged(response, orjson.loads(kept.body) if kept.body else None)


def _dumped(spec: RouteSpec, result: Any) -> Response:
    if isinstance(result, Response):
        return result
    reply = result if isinstance(result, Reply) else Reply(result)
    body = reply.body
    if spec.answer is not None and body is not None:
        body = (
            [quick.dump(spec.answer, each) for each in body] if spec.many else quick.dump(spec.answer, body)
        )
    response = Response(
        b"" if body is None else orjson.dumps(body, option=orjson.OPT_UTC_Z, default=str),
        reply.status or spec.status,
        headers=dict(reply.headers),
        content_type=JSON,
    )
    return _tagged(response, body)


def _tagged(response: Response, body: Any) -> Response:
    if isinstance(body, Mapping) and "version" in body:
        response.headers["ETag"] = f'"{body["version"]}"'
    return response
