"""Opens the HTTP door: a route authenticates, loads with a schema, opens the transaction, calls, dumps, answers.

A refusal becomes an RFC 9457 problem with every wrong field. With an `Idempotency-Key` the answer is stored in the
command's own transaction, so a repeated request gets the first answer and has no second effect.
"""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import orjson
from marshmallow import Schema, ValidationError
from nameko.web.handlers import HttpRequestHandler
from nameko.web.server import WebServer, WsgiApp
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from wangge.chassis import metrics
from wangge.chassis.auth import Principal
from wangge.chassis.delivery import wrong_fields
from wangge.chassis.errors import (
    Fault,
    Infrastructure,
    Invalid,
    Permanent,
    Refusal,
    Stale,
    Temporary,
    TooLarge,
    TooMany,
    invalid,
)
from wangge.chassis.faults import classify
from wangge.chassis.ids import new_id
from wangge.chassis.logging import bound, get_logger
from wangge.chassis.tables import idempotency_key
from wangge.chassis.transaction import Cause, Transaction
from wangge.contracts import quick

log = get_logger(__name__)

JSON = "application/json"
PROBLEM = "application/problem+json"

#: Bytes of a request body; a stream of lines has this limit for each line.
MAX_BODY_BYTES = 256 * 1024

#: Times that a command is tried when the database asks to try again.
TRIES = 3

#: Seconds after which somebody to whom we said 503 may try again.
RETRY_AFTER = "5"

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

    @property
    def is_command(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"


class Server(WebServer):  # type: ignore[misc]
    """nameko's web server, on our address, whose mishaps with one connection stay with that connection."""

    @property
    def bind_addr(self) -> Any:
        """Host and port from the settings."""
        settings = self.container.app.settings
        return (settings.http_host, settings.http_port)

    def process_request(self, sock: Any, address: Any) -> None:
        """Serve one connection."""
        try:
            super().process_request(sock, address)
        except Exception as error:
            log.info("connection ended badly", cause=str(error))

    def get_wsgi_app(self) -> Any:
        """The application with problems for unknown paths."""
        return _Application(self)

    def get_wsgi_server(self, sock: Any, wsgi_app: Any, **kwargs: Any) -> Any:
        """Eventlet's server, without a log line a request (the metrics count them)."""
        send_at_once(sock)
        server = super().get_wsgi_server(sock, wsgi_app, **kwargs)
        server.log_output = False
        return server


def send_at_once(listener: Any) -> None:
    """Let no connection of this listener hold back the rest of a long answer until the client acknowledges its beginning.

    Clients take 40 ms for that (Nagle's algorithm against delayed acknowledgements).
    """
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _Application(WsgiApp):  # type: ignore[misc]
    """Matches the path; unknown paths and methods get a problem too."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Answer one request."""
        request = Request(environ, shallow=True)
        adapter = self.url_map.bind_to_environ(environ)
        try:
            provider, values = adapter.match()
        except HTTPException as error:
            status = error.code or 500
            refusal = Refusal(f"http.{status}", error.name, error.description or error.name, status)
            return _problem(refusal, request.headers.get("Accept-Language"))(environ, start_response)
        request.path_values = values  # type: ignore[attr-defined]
        return provider.handle_request(request)(environ, start_response)


class Route(HttpRequestHandler):  # type: ignore[misc]
    """The nameko entrypoint of one route."""

    server = Server()


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
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a service method `(self, tx, ask, **path)` answer `method path`.

    `may` lists the roles that may pass (empty: anybody with a valid token), `is_public` needs no token. The method
    answers what `answer` dumps, or a `Reply`. `is_raw` methods are `(self, who, request, **path)`, get no transaction
    and answer a werkzeug `Response` (streams).
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
            response = _refuse(error, request)
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
    who = NOBODY
    if not spec.is_public:
        who = app.authenticator.who(request.headers.get("Authorization"), request.headers.get("X-API-Key"))
        if spec.may:
            who.require_role(spec.may)
    if spec.is_command:
        app.backlog.require_room()
    if spec.is_raw:
        response: Response = function(service, who, request, **path_values)
        return response
    query = load(spec.query, request.args.to_dict()) if spec.query else {}
    raw = _body(request, spec.max_bytes) if spec.body else b""
    body = load(spec.body, parse_json(raw)) if spec.body else {}
    ask = Ask(who, body, query, dict(request.headers))
    cause = Cause(correlation_id, None, who.id or None, request.headers.get("traceparent"))

    def once(tx: Transaction) -> Response:
        if spec.is_command:
            return _commanded(service, function, spec, request, raw, tx, ask, path_values)
        return _dumped(spec, function(service, tx, ask, **path_values))

    return _tried(app, cause, once)


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
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        return _dumped(spec, function(service, tx, ask, **path_values))
    if len(key) > 128:
        raise invalid([{"field": "Idempotency-Key", "message": "at most 128 characters"}])
    scope = f"{ask.who.id} {request.method} {request.path}"
    digest = hashlib.sha256(raw).hexdigest()
    earlier = _earlier(tx, scope, key, digest)
    if earlier is not None:
        return earlier
    response = _dumped(spec, function(service, tx, ask, **path_values))
    tx.execute(
        update(idempotency_key)
        .where(idempotency_key.c.scope == scope, idempotency_key.c.key == key)
        .values(status=response.status_code, body=response.get_data(as_text=True))
    )
    return response


def _earlier(tx: Transaction, scope: str, key: str, digest: str) -> Response | None:
    """Claim the key, or answer what it was answered before. A request in progress holds us here until it is over."""
    row = {"scope": scope, "key": key, "request_digest": digest}
    if tx.execute(insert(idempotency_key).values(row).on_conflict_do_nothing()).rowcount:
        return None
    stored = tx.execute(
        select(idempotency_key).where(idempotency_key.c.scope == scope, idempotency_key.c.key == key)
    ).one()
    if stored.request_digest != digest:
        raise Invalid(
            "idempotency.key_reused",
            "该 Idempotency-Key 已用于不同的内容",
            "this Idempotency-Key was used with another body",
        )
    response = Response(stored.body, stored.status, content_type=JSON)
    response.headers["Idempotent-Replay"] = "true"
    return _tagged(response, orjson.loads(stored.body) if stored.body else None)


def _body(request: Request, most: int) -> bytes:
    if (request.content_length or 0) > most:
        raise _too_large(most)
    request.max_content_length = most
    try:
        raw: bytes = request.get_data(cache=False)
    except HTTPException as wrong:
        raise _too_large(most) from wrong
    return raw


def _too_large(most: int) -> TooLarge:
    return TooLarge("body.too_large", f"内容超过 {most} 字节", f"the body exceeds {most} bytes")


def parse_json(raw: bytes) -> Any:
    """The JSON in `raw`. Raises `Invalid` saying where it breaks."""
    if b"\\u0000" in raw:
        raise invalid([{"field": "body", "message": "NUL character"}])
    try:
        return orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError as wrong:
        raise Invalid(
            "body.bad_json",
            "不是有效的 JSON",
            f"not JSON: {wrong}",
            400,
            [{"field": "body", "message": str(wrong)}],
        ) from wrong


def load(schema: Schema, document: Any) -> Any:
    """`document` loaded by `schema`. Raises `Invalid` naming every wrong field."""
    try:
        return quick.load(schema, document)
    except ValidationError as wrong:
        raise invalid(wrong_fields(wrong)) from wrong


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


def _refuse(error: Exception, request: Request) -> Response:
    fault = classify(error)
    language = request.headers.get("Accept-Language")
    if isinstance(fault, Refusal):
        return _problem(fault, language)
    if isinstance(fault, Permanent):
        log.error("request failed", code=fault.code, detail=fault.message, exc_info=error)
        return _problem(
            Refusal("internal", "系统内部错误，已记录", "an internal error, it was logged", 500), language
        )
    log.warning("request met a fault", cause=str(fault))
    return _problem(_unavailable(fault), language)


def _unavailable(fault: Fault) -> Refusal:
    code = "unavailable" if isinstance(fault, Infrastructure) else "busy"
    return Refusal(code, "系统暂时不可用，请稍后重试", "temporarily unavailable, try again", 503)


def problem_of(refusal: Refusal, language: str | None) -> dict[str, Any]:
    """The RFC 9457 document of a refusal, in Chinese unless English is asked for first."""
    english = (language or "").lower().startswith("en")
    document: dict[str, Any] = {
        "type": f"urn:wangge:problem:{refusal.code}",
        "title": refusal.code,
        "status": refusal.status,
        "code": refusal.code,
        "detail": refusal.en if english else refusal.zh,
    }
    if refusal.errors:
        document["errors"] = list(refusal.errors)
    return dict(refusal.extra) | document


def _problem(refusal: Refusal, language: str | None) -> Response:
    response = Response(orjson.dumps(problem_of(refusal, language)), refusal.status, content_type=PROBLEM)
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if refusal.status == 503:
        response.headers["Retry-After"] = RETRY_AFTER
    if isinstance(refusal, TooMany):
        response.headers["Retry-After"] = str(refusal.retry_after_seconds)
    return response
