"""Answers a request that failed with an RFC 9457 problem, in Chinese unless English is asked for first."""

from __future__ import annotations

from typing import Any

import orjson
from werkzeug.wrappers import Request, Response

from wangge.chassis.errors import Fault, Infrastructure, Permanent, Refusal, TooMany
from wangge.chassis.faults import classify
from wangge.chassis.logging import get_logger

log = get_logger(__name__)

PROBLEM = "application/problem+json"

#: Seconds after which somebody to whom we said 503 may try again.
RETRY_AFTER = "5"


def refuse(error: Exception, request: Request) -> Response:
    """The answer to a request that ended in `error`; what is our own fault is logged, not shown."""
    fault = classify(error)
    language = request.headers.get("Accept-Language")
    if isinstance(fault, Refusal):
        return problem(fault, language)
    if isinstance(fault, Permanent):
        log.error("request failed", code=fault.code, detail=fault.message, exc_info=error)
        return problem(
            Refusal("internal", "系统内部错误，已记录", "an internal error, it was logged", 500), language
        )
    log.warning("request met a fault", cause=str(fault))
    return problem(_unavailable(fault), language)


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


def problem(refusal: Refusal, language: str | None) -> Response:
    """The answer that a refusal gets."""
    response = Response(orjson.dumps(problem_of(refusal, language)), refusal.status, content_type=PROBLEM)
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if refusal.status == 503:
        response.headers["Retry-After"] = RETRY_AFTER
    if isinstance(refusal, TooMany):
        response.headers["Retry-After"] = str(refusal.retry_after_seconds)
    return response
