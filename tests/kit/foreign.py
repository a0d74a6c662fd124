"""Programs of other people on a cell of notify: started with their own login, stopped and judged."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from typer.testing import CliRunner, Result

from wangge.cli.app import app
from wangge.cli.local import LocalSystem

SCENARIOS = Path(__file__).parents[1] / "scenarios"


def wangge(system: LocalSystem, *words: str) -> Result:
    """Run a `wangge` command on this system."""
    return CliRunner().invoke(app, [*words, "--directory", str(system.directory)])


class Webhook:
    """A street office's own page, which keeps what is posted to it."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                page.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *told: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def webhook() -> Iterator[Webhook]:
    page = Webhook()
    try:
        yield page
    finally:
        page.close()


@contextmanager
def running(
    system: LocalSystem, program: str, cell: str, login: str, page: Webhook, home: Path
) -> Iterator[None]:
    """A foreign program on the queues of `notify.<cell>`, with nothing of ours on its path."""
    broker = urlsplit(system.rabbitmq.url())
    password = (system.directory / "secrets" / f"cell-{login}").read_text()
    lanes = json.loads(wangge(system, "cell", "list", "--service", "notify", "--json").stdout)
    queues = [lane["name"] for each in lanes if each["name"] == cell for lane in each["lanes"]]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
        "EVENTLET_NO_GREENDNS": "yes",
        "AMQP_URI": f"amqp://{login}:{password}@{broker.hostname}:{broker.port}//",
        "QUEUES": ",".join(queues),
        "WEBHOOK": page.url,
        "MEMORY": str(home / "told.db"),
    }
    with (home / f"{cell}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, SCENARIOS / program], env=environment, cwd=home, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
