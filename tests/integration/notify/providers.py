"""The world outside for notify's tests: a web server that takes webhooks and a mail server, both real."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Call:
    """One request that the receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """Answers each path as it is told: `answers["/a"] = [503, 200]` is 503 once, then 200 for ever."""

    calls: list[Call] = field(default_factory=list)
    answers: dict[str, list[int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    unfinished: set[str] = field(default_factory=set)
    """Paths whose answer has a body that does not come."""

    def __post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.calls.append(Call(self.path, dict(self.headers), body))
                time.sleep(receiver.seconds.get(self.path, 0))
                status = receiver.next_answer(self.path)
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", f"{receiver.url}/elsewhere")
                is_unfinished = self.path in receiver.unfinished
                self.send_header("Content-Length", "10" if is_unfinished else "0")
                self.end_headers()
                if is_unfinished:
                    self.wfile.write(b"x")
                    time.sleep(30)

            def log_message(self, *told: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def next_answer(self, path: str) -> int:
        listed = self.answers.get(path, [200])
        return listed.pop(0) if len(listed) > 1 else listed[0]

    def at(self, path: str) -> list[Call]:
        return [call for call in self.calls if call.path == path]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class SmtpDialogue(socketserver.StreamRequestHandler):
    """One client's conversation, as far as RFC 5321 needs it here."""

    def handle(self) -> None:
        mail: MailServer = self.server.mail  # type: ignore[attr-defined]
        self._say("220 mail.example ESMTP")
        recipient = ""
        while line := self.rfile.readline().decode().strip():
            verb = line.partition(" ")[0].upper()
            if verb == "RCPT":
                recipient = line.partition("<")[2].partition(">")[0]
                self._say(f"{mail.refuse.get(recipient, 250)} {recipient}")
            elif verb == "DATA":
                self._say("354 go on")
                mail.take(recipient, self._read())
                self._say("250 taken")
            else:
                self._say("221 bye" if verb == "QUIT" else "250 fine")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def _read(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)


@dataclass
class MailServer:
    """Takes mail for anybody; `refuse[address] = 550` refuses that recipient."""

    letters: list[tuple[str, EmailMessage]] = field(default_factory=list)
    refuse: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), SmtpDialogue)
        self._server.mail = self  # type: ignore[attr-defined]
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def uri(self) -> str:
        return f"smtp://127.0.0.1:{self._server.server_address[1]}"

    def take(self, recipient: str, raw: bytes) -> None:
        read: Callable[..., Any] = message_from_bytes
        self.letters.append((recipient, read(raw, policy=default)))

    def to(self, recipient: str) -> list[EmailMessage]:
        return [letter for to, letter in self.letters if to == recipient]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
