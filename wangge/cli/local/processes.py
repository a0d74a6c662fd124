"""Starts background processes that outlive the command, and stops only those that it started itself."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from wangge.cli.errors import CommandFailed
from wangge.cli.local.files import read_json, write_json
from wangge.cli.local.waiting import wait_until

#: How many of a log's last lines are shown when its process did not come up.
LOG_LINES_SHOWN = 20
#: Seconds that the kernel may take to remove a process after SIGKILL; more only under heavy load.
KILL_SECONDS = 10.0
#: Prefixes of the variables that steer a server or a service; the caller's own must not reach a private one.
STEERING = ("WANGGE_", "RABBITMQ_", "ERL_", "PG")
#: Settings of the caller that are meant for the services all the same.
PASSED_ON = ("WANGGE_LOG_LEVEL",)


def clean_environment() -> dict[str, str]:
    """The caller's environment without what would steer a private server or service elsewhere."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or not name.startswith(STEERING)
    }


def birth_of(pid: int) -> str | None:
    """What tells this process from a later one with the same number, or None when it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()  # the command's name before it may hold anything
    if state in ("Z", "X") and not _has_threads_left(pid):
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}/{fields[18]}"


def _has_threads_left(pid: int) -> bool:
    """Tell whether an ended process still has threads that end, and so still holds its ports."""
    try:
        return len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def children_of(pid: int) -> list[int]:
    """The running children of a process, and theirs; empty when it has ended."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        own = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [pid_ for child in own for pid_ in (child, *children_of(child))]


class BackgroundProcess:
    """One process in a session of its own, found again by the pid and birth noted in a file."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.log = directory / "logs" / f"{name}.log"
        self._record = directory / "run" / f"{name}.json"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The number of the running process; None when it does not run or is not ours."""
        if self._child is not None:
            self._child.poll()  # reaps it, where it was our child and has ended
        record = read_json(self._record)
        if record and birth_of(record["pid"]) == record["birth"]:
            return int(record["pid"])
        return None

    def start(self, command: Sequence[str], environment: Mapping[str, str], directory: Path) -> None:
        """Start the command in `directory`, its output appended to the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        write_json(self._record, {"pid": self._child.pid, "birth": birth_of(self._child.pid)})

    def stop(self, deadline_seconds: float, with_signal: signal.Signals = signal.SIGTERM) -> None:
        """Ask the process to end; after the deadline, end it."""
        pid = self.pid
        if pid is not None:
            _send(pid, with_signal)
            if not wait_until(lambda: self.pid is None, deadline_seconds):
                self.kill()
        self._record.unlink(missing_ok=True)

    def kill(self) -> None:
        """End the process and its children at once, as a power cut would."""
        pid = self.pid
        if pid is None:
            return
        for victim in (pid, *children_of(pid)):
            _send(victim, signal.SIGKILL)
        wait_until(lambda: self.pid is None, KILL_SECONDS)

    def require_running(self, doing: str) -> None:
        """Raise `CommandFailed` with the log's last lines when the process has ended."""
        if self.pid is None:
            raise CommandFailed(f"{self.name} ended while {doing}.\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines of the log, under its path."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            lines = []
        return "\n".join([f"The end of {self.log}:", *(f"  {line}" for line in lines[-LOG_LINES_SHOWN:])])


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
