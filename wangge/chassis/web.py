"""nameko's web server as we want it: on our address, one bad connection by itself, problems for unknown paths."""

from __future__ import annotations

import socket
from typing import Any

from nameko.web.handlers import HttpRequestHandler
from nameko.web.server import WebServer, WsgiApp
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request

from wangge.chassis.errors import Refusal
from wangge.chassis.logging import get_logger
from wangge.chassis.problems import problem

log = get_logger(__name__)


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
        return Application(self)

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


class Application(WsgiApp):  # type: ignore[misc]
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
            return problem(refusal, request.headers.get("Accept-Language"))(environ, start_response)
        request.path_values = values  # type: ignore[attr-defined]
        return provider.handle_request(request)(environ, start_response)


class Route(HttpRequestHandler):  # type: ignore[misc]
    """The nameko entrypoint of one route."""

    server = Server()
