"""What is known of a service's cells: home's register and the broker, put together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wangge.cli import publishers
from wangge.cli.api import Api, answer_of, service_names
from wangge.cli.errors import CommandFailed
from wangge.cli.management import Lane, Management
from wangge.contracts.areas import Area

FOREIGN = "own database"
"""The state of a cell that is bound on the broker and not in the register of home."""


@dataclass(frozen=True)
class Seen:
    """A cell as home's register and the broker show it together."""

    service: str
    name: str
    state: str
    areas: list[str]
    lanes: list[Lane]
    is_shared: bool
    held_back: int

    @property
    def holds(self) -> int:
        """Messages in its queues that are not settled."""
        return sum(lane.holds for lane in self.lanes)

    @property
    def consumers(self) -> int:
        """Consumers on its queues: its processes, one a lane."""
        return sum(lane.consumers for lane in self.lanes)


def seen(api: Api, service: str) -> list[Seen]:
    """All cells of a service, registered or only bound on the broker.

    Raises:
        CommandFailed: the service or the broker cannot be asked.
    """
    management = Management(api.addresses)
    lanes, claims = management.lanes(service), management.claims(service)
    found = list(_registered(api, service, lanes))
    known = {cell.name for cell in found}
    others = sorted(claims.keys() - known)
    return found + [
        Seen(service, name, FOREIGN, sorted(claims[name]), lanes.get(name, []), False, 0) for name in others
    ]


def _registered(api: Api, service: str, lanes: dict[str, list[Lane]]) -> Iterator[Seen]:
    for row in api.call(service, "GET", "/v1/cells")["items"]:
        areas = [Area.parse(code).routing for code in row["areas"]]
        own = lanes.get(row["name"], [])
        yield Seen(service, row["name"], row["state"], areas, own, row["is_shared"], row["held_back"])


def find(api: Api, service: str, name: str) -> Seen:
    """One cell.

    Raises:
        CommandFailed: there is no such service or cell; the text names those that there are.
    """
    require_service(service)
    cells = seen(api, service)
    for cell in cells:
        if cell.name == name:
            return cell
    there = ", ".join(cell.name for cell in cells)
    raise CommandFailed(f"{service} has no cell {name}; there are: {there}.")


def live(api: Api, cell: Seen) -> list[Lane]:
    """Its queues as they are at this instant; of one without a consumer, nothing is unacknowledged."""
    with publishers.connection(api.addresses.amqp_uri) as connection, connection.channel() as channel:
        found = [channel.queue_declare(lane.name, passive=True) for lane in cell.lanes]
    return [Lane(each.queue, each.message_count, 0, each.consumer_count) for each in found]


def require_service(service: str) -> None:
    """Raises `CommandFailed` naming the services, where it is none of them."""
    if service not in service_names():
        raise CommandFailed(f"There is no service {service}; there are: {', '.join(service_names())}.")


def held_elsewhere(api: Api, url: str) -> int:
    """Events that a process with a database of its own holds (at most 200 of each kind are counted).

    Raises:
        CommandFailed: it cannot be asked.
    """
    headers = {"Authorization": f"Bearer {api.token}"}
    pages = [
        answer_of(
            "GET", f"{url.rstrip('/')}/v1/held", url, params={"state": state, "limit": 200}, headers=headers
        )
        for state in ("deferred", "in_transit", "quarantined")
    ]
    return sum(len(page["items"]) for page in pages)
