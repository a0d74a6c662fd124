"""Shows a service's own HTTP face: `/openapi.json` for programs, `/docs` for people."""

from __future__ import annotations

from typing import Any

import orjson
from werkzeug.wrappers import Request, Response

from wangge import __version__
from wangge.chassis import openapi
from wangge.chassis.auth import Principal
from wangge.chassis.http import route


class OpenApiEntrypoints:
    """The description of the service's routes."""

    name: str
    app: Any

    @route("GET", "/openapi.json", is_public=True, is_raw=True, tag="about")
    def openapi_json(self, who: Principal, request: Request) -> Response:
        """This service's OpenAPI 3.1 document."""
        document = openapi.describe(type(self), self.name, __version__)
        # the bounds of amounts are Decimals
        return Response(orjson.dumps(document, default=float), content_type="application/json")

    @route("GET", "/docs", is_public=True, is_raw=True, tag="about")
    def docs(self, who: Principal, request: Request) -> Response:
        """A page that lists every route."""
        document = openapi.describe(type(self), self.name, __version__)
        return Response(openapi.readable(document), content_type="text/html; charset=utf-8")
