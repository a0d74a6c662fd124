"""Random faults for minutes while incidents flow and people act; the schedule follows from a seed and can be replayed."""

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from kit import nemesis
from kit.load import carry_to_the_end
from kit.proxied import ProxiedSystem
from kit.trial import Trial
from wangge.cli.errors import CommandFailed
from wangge.cli.local import SERVICES

#: Seconds between the end of one act and the next, at least and at most.
PAUSE = (0.5, 4.0)
#: Seconds that a fault lasts, at least and at most; two missed heartbeats are within.
LASTS = (0.5, 8.0)
#: Seconds that acts without a duration are thought to take, so that a schedule is about as long as was asked.
TAKES = 4.0

SERVER_NAMES = ("rabbitmq", "postgres", "redis")


@dataclass(frozen=True)
class Act:
    """One blow of a schedule: after `pause` seconds, `kind` to `target`, for `seconds` where it lasts."""

    pause: float
    kind: str
    target: str
    seconds: float

    def __str__(self) -> str:
        return f"+{self.pause:.1f} s {self.kind} {self.target} {self.seconds:.1f} s"


#: Each kind with what it may strike and its weight.
KINDS: dict[str, tuple[tuple[str, ...], int]] = {
    "kill": (tuple(SERVICES), 4),
    "restart": (tuple(SERVICES), 3),
    "pause": (tuple(SERVICES), 2),
    "kill_server": (SERVER_NAMES, 2),
    "stop_server": (SERVER_NAMES, 2),
    "terminate_backends": (("postgres",), 3),
    "flush": (("redis",), 2),
    "duplicates": (("incidents",), 3),
    "poison": (("incidents",), 3),
    "blackhole": (SERVER_NAMES, 2),
    "latency": (SERVER_NAMES, 1),
    "reset": (SERVER_NAMES, 2),
    "forget": (("rabbitmq", "postgres"), 1),
}


def schedule(seed: int, minutes: float) -> list[Act]:
    """The acts of a soak; the same for the same seed, and a longer one begins like a shorter one."""
    chance = random.Random(seed)
    acts: list[Act] = []
    left = minutes * 60
    while left > 0:
        kind = chance.choices(list(KINDS), [weight for _, weight in KINDS.values()])[0]
        act = Act(
            round(chance.uniform(*PAUSE), 1),
            kind,
            chance.choice(KINDS[kind][0]),
            round(chance.uniform(*LASTS), 1),
        )
        acts.append(act)
        left -= act.pause + max(act.seconds, TAKES)
    return acts


class Soak:
    """Carries a schedule out on a system, with traffic of all kinds beside it."""

    def __init__(self, system: ProxiedSystem, trial: Trial, say: Callable[[str], None]) -> None:
        self._system = system
        self._trial = trial
        self._say = say
        self.carried = 0

    def run(self, acts: list[Act]) -> None:
        """Do all acts, then require that nothing was lost or doubled."""
        started = time.monotonic()
        with self._trial.traffic(every=0.1), self._people():
            for act in acts:
                time.sleep(act.pause)
                self._say(f"{time.monotonic() - started:6.1f} s  {act}")
                getattr(self, f"_{act.kind}")(act.target, act.seconds)
            self._system.recover()
        self._trial.verify()
        self._say(
            f"{len(self._trial.sent)} incidents, {self.carried} cases carried to the end: nothing lost or doubled"
        )

    @contextmanager
    def _people(self) -> Iterator[None]:
        over = threading.Event()
        failures: list[BaseException] = []
        worker = threading.Thread(target=self._carry, args=(over, failures), daemon=True)
        worker.start()
        try:
            yield
        finally:
            over.set()
            worker.join(300)
        assert not worker.is_alive(), "a case could not be carried to its end"
        assert failures == []

    def _carry(self, over: threading.Event, failures: list[BaseException]) -> None:
        done: set[str] = set()
        while not over.wait(0.3):
            try:
                case_no = self._next_case(done)
                if case_no:
                    done.add(case_no)
                    carry_to_the_end(self._trial.town, case_no)
                    self.carried += 1
            except AssertionError as failure:
                failures.append(failure)
                return

    def _next_case(self, done: set[str]) -> str | None:
        with suppress(CommandFailed):
            operator = self._trial.town.operator
            items = operator.call("dispatch", "GET", "/v1/cases", state="dispatched", limit=20)["items"]
            return next((item["case_no"] for item in items if item["case_no"] not in done), None)
        return None

    # the acts

    def _kill(self, service: str, seconds: float) -> None:
        self._system.kill_service(service)
        self._system.start_service(service)

    def _restart(self, service: str, seconds: float) -> None:
        self._system.stop_service(service)
        self._system.start_service(service)

    def _pause(self, service: str, seconds: float) -> None:
        with nemesis.service_paused(self._system, service):
            time.sleep(seconds)

    def _kill_server(self, server: str, seconds: float) -> None:
        with nemesis.server_down(self._system, server, "kill"):
            time.sleep(seconds)

    def _stop_server(self, server: str, seconds: float) -> None:
        with nemesis.server_down(self._system, server, "stop"):
            time.sleep(seconds)

    def _terminate_backends(self, _: str, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            nemesis.terminate_backends(self._system)
            time.sleep(0.5)

    def _flush(self, _: str, seconds: float) -> None:
        nemesis.redis_client(self._system).flushall()

    def _duplicates(self, _: str, seconds: float) -> None:
        self._trial.publish_again(20)

    def _poison(self, _: str, seconds: float) -> None:
        self._trial.poison(3)

    def _blackhole(self, server: str, seconds: float) -> None:
        self._system.lines[server].blackhole()
        time.sleep(seconds)
        self._system.lines[server].mend()

    def _latency(self, server: str, seconds: float) -> None:
        self._system.lines[server].latency = 0.5
        time.sleep(seconds)
        self._system.lines[server].mend()

    def _reset(self, server: str, seconds: float) -> None:
        self._system.lines[server].reset_mid_frame()

    def _forget(self, server: str, seconds: float) -> None:
        self._system.lines[server].forget_clients()


def command(seed: int, minutes: float) -> str:
    """What replays a soak."""
    return f"{sys.executable} tests/faults/soak.py --seed {seed} --minutes {minutes:g}"
