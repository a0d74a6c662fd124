"""Calls the services of a running system over HTTP, as any program would, and shows a problem in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from wangge.cli.errors import CommandFailed
from wangge.cli.local import SERVICES, Addresses
from wangge.cli.token import sign

#: Seconds for one call; a whole site pack is taken in one transaction.
CALL_SECONDS = 60.0

#: What `wangge` itself is called where a service notes who asked.
OPERATOR = "wangge-cli"

EVERYWHERE = tuple(f"{province:02d}" for province in range(11, 83))
"""All provinces: the operator's token covers every area."""


class Refused(CommandFailed):
    """A service answered with a problem (RFC 9457)."""

    def __init__(self, status: int, problem: dict[str, Any], where: str) -> None:
        self.status = status
        self.problem = problem
        errors = "".join(
            f"\n  {each.get('field')}: {each.get('message')}" for each in problem.get("errors", ())
        )
        said = problem.get("detail") or problem.get("title") or problem
        super().__init__(f"{where} answered {status} {problem.get('code', '')}: {said}{errors}")

    @property
    def code(self) -> str:
        """The stable English code of the problem."""
        return str(self.problem.get("code", ""))


@dataclass(frozen=True)
class Api:
    """One person's way into the services of a running system."""

    addresses: Addresses
    token: str

    @classmethod
    def of_operator(cls, directory: Path) -> Api:
        """The way of an administrator of everything.

        Raises:
            CommandFailed: no system runs there.
        """
        addresses = Addresses.read(directory)
        return cls(addresses, sign(Path(addresses.keys_dir), OPERATOR, ["admin"], EVERYWHERE))

    def call(self, service: str, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The JSON that the service answers.

        Raises:
            Refused: it answered with a problem.
            CommandFailed: it cannot be reached, or did not answer in JSON.
        """
        url = f"{self.addresses.service(service).http_url.rstrip('/')}{path}"
        wanted = {name: value for name, value in query.items() if value is not None}
        headers = {"Authorization": f"Bearer {self.token}", "Accept-Language": "zh"}
        return answer_of(method, url, f"{service} {method} {path}", json=body, params=wanted, headers=headers)

    def all(self, service: str, path: str, **query: Any) -> list[Any]:
        """All items of a list, page after page."""
        items: list[Any] = []
        cursor = None
        while True:
            page = self.call(service, "GET", path, cursor=cursor, **query)
            items.extend(page["items"])
            cursor = page.get("next_cursor")
            if not cursor:
                return items


def answer_of(method: str, url: str, where: str, **request: Any) -> Any:
    """One call; see `Api.call` for what it raises."""
    try:
        answer = requests.request(method, url, timeout=CALL_SECONDS, **request)
    except requests.RequestException as away:
        raise CommandFailed(f"{where}: no answer from {url} ({type(away).__name__}).") from away
    try:
        said = answer.json() if answer.content else None
    except ValueError as wrong:
        raise CommandFailed(f"{where} answered {answer.status_code} without JSON.") from wrong
    if not answer.ok:
        raise Refused(answer.status_code, said if isinstance(said, dict) else {"detail": said}, where)
    return said


def service_names() -> list[str]:
    """The services, in the order in which they work."""
    return list(SERVICES)
