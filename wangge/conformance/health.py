"""Points about what its health port says."""

from __future__ import annotations

import requests

from wangge.conformance.bench import Bench
from wangge.conformance.points import Broken, Point, Skipped

#: Seconds for one look at a health page.
HEALTH_SECONDS = 5.0


def lives(bench: Bench) -> None:
    """It says that it lives."""
    _answers(bench, "/health/live")


def is_ready(bench: Bench) -> None:
    """It says that it is ready."""
    _answers(bench, "/health/ready")


def has_metrics(bench: Bench) -> None:
    """It shows metrics."""
    text = _answers(bench, "/metrics")
    if not any(line and not line.startswith("#") for line in text.splitlines()):
        raise Broken("no metrics in Prometheus's text format")


def _answers(bench: Bench, path: str) -> str:
    if bench.health_url is None:
        raise Skipped("no --health address was given")
    url = f"{bench.health_url.rstrip('/')}{path}"
    try:
        answer = requests.get(url, timeout=HEALTH_SECONDS)
    except requests.RequestException as away:
        raise Broken(f"{url}: {type(away).__name__}") from away
    if not answer.ok:
        raise Broken(f"{url} answers {answer.status_code}")
    return answer.text


POINTS = [
    Point("health.live", lives),
    Point("health.ready", is_ready),
    Point("health.metrics", has_metrics),
]
