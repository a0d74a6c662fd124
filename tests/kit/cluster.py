"""A RabbitMQ cluster of three nodes on one machine: the system's own broker and two that join it."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

from wangge.cli.local import LocalSystem
from wangge.cli.local.ports import Ports
from wangge.cli.local.rabbitmq import RabbitMQ
from wangge.cli.local.secrets import Secrets


class Cluster:
    """The nodes by number. Start it when the system's servers run and before its services declare their queues."""

    def __init__(self, system: LocalSystem) -> None:
        secrets = Secrets(system.directory / "secrets")
        ports = Ports(system.ports.path, {})
        further = (RabbitMQ(system.directory, ports, secrets, number) for number in (2, 3))
        self.nodes = dict(enumerate((system.rabbitmq, *further), 1))

    def start(self) -> None:
        """Let the second and the third node join the first."""
        for number in (2, 3):
            self.nodes[number].start(())

    def stop(self) -> None:
        """End the joined nodes; the first belongs to the system."""
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda number: self.nodes[number].stop(), (2, 3)))

    def service_uris(self, service: str) -> str:
        """What a service is given: the addresses of all nodes."""
        return ";".join(node.service_url(service) for node in self.nodes.values())

    def leader_of(self, queue: str) -> int | None:
        """The number of the node that leads a queue, as the first node that answers says; None while nobody does."""
        leader = self._answering().call("GET", f"/queues/%2F/{queue}").get("leader")
        return next((number for number, each in self.nodes.items() if each.node == leader), None)

    def running(self) -> set[int]:
        """The nodes that the cluster counts as running."""
        rows = self._answering().call("GET", "/nodes")
        up = {row["name"] for row in rows if row["running"]}
        return {number for number, node in self.nodes.items() if node.node in up}

    def kill(self, number: int) -> None:
        """End a node as a power cut would."""
        self.nodes[number].kill()

    def pause(self, number: int) -> None:
        """Let a node neither speak nor hear, with its connections open."""
        self._signal(number, signal.SIGSTOP)

    def resume(self, number: int) -> None:
        """Let a paused node go on."""
        self._signal(number, signal.SIGCONT)

    def _signal(self, number: int, which: signal.Signals) -> None:
        pid = self.nodes[number].process.pid
        assert pid is not None
        os.kill(pid, which)

    def _answering(self) -> RabbitMQ:
        return next(node for node in self.nodes.values() if node.process.pid and node.is_ready())
