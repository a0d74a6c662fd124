import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wangge.cli.errors import CommandFailed
from wangge.cli.local.files import read_json, write_json
from wangge.cli.local.processes import BackgroundProcess, birth_of, children_of, clean_environment
from wangge.cli.local.waiting import wait_until

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
]
WITH_A_CHILD = [sys.executable, "-c", f"import subprocess; subprocess.run({SLEEPER!r})"]


@pytest.fixture
def process(tmp_path):
    started = BackgroundProcess("sleeper", tmp_path)
    yield started
    started.kill()


def test_started_process_is_found_again_by_another_command(process, tmp_path):
    process.start(SLEEPER, os.environ, tmp_path)
    assert BackgroundProcess("sleeper", tmp_path).pid == process.pid
    assert process.pid is not None


def test_process_runs_in_a_session_of_its_own(process, tmp_path):
    process.start(SLEEPER, os.environ, tmp_path)
    assert os.getsid(process.pid) == process.pid != os.getsid(0)


def test_stopped_process_is_gone_and_forgotten(process, tmp_path):
    process.start(SLEEPER, os.environ, tmp_path)
    process.stop(deadline_seconds=10)
    assert process.pid is None
    assert not list((tmp_path / "run").iterdir())


def test_process_deaf_to_sigterm_is_killed_after_the_deadline(process, tmp_path):
    process.start(STUBBORN, os.environ, tmp_path)
    assert wait_until(lambda: "deaf" in process.log_tail(), 10)
    process.stop(deadline_seconds=0.2)
    assert process.pid is None


def test_killing_a_process_ends_its_children_too(process, tmp_path):
    process.start(WITH_A_CHILD, os.environ, tmp_path)
    assert wait_until(lambda: bool(children_of(process.pid)), 10)
    (child,) = children_of(process.pid)
    process.kill()
    assert wait_until(lambda: birth_of(child) is None, 10)


def test_killed_process_stays_on_record_as_one_that_should_run(process, tmp_path):
    process.start(SLEEPER, os.environ, tmp_path)
    process.kill()
    assert process.pid is None
    assert (tmp_path / "run" / "sleeper.json").exists()


def test_another_process_that_got_the_same_pid_later_is_not_touched(tmp_path):
    other = subprocess.Popen(SLEEPER)
    try:
        write_json(tmp_path / "run" / "old.json", {"pid": other.pid, "birth": "an-earlier-boot/1"})
        old = BackgroundProcess("old", tmp_path)
        assert old.pid is None
        old.stop(deadline_seconds=1)
        old.kill()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_ended_process_has_no_birth_even_before_it_is_reaped():
    child = subprocess.Popen([sys.executable, "-c", ""])
    try:
        assert wait_until(lambda: birth_of(child.pid) is None, 10)
    finally:
        child.wait()


def test_two_processes_have_different_births():
    child = subprocess.Popen(SLEEPER)
    try:
        assert birth_of(child.pid) != birth_of(os.getpid())
    finally:
        child.kill()
        child.wait()


def test_failed_start_shows_the_end_of_the_log(process, tmp_path):
    process.start(
        [sys.executable, "-c", "print('no such database'); raise SystemExit(3)"], os.environ, tmp_path
    )
    assert wait_until(lambda: process.pid is None, 10)
    with pytest.raises(CommandFailed, match="sleeper ended while starting") as failure:
        process.require_running("starting")
    assert "no such database" in str(failure.value)
    assert str(process.log) in str(failure.value)


def test_only_the_log_level_of_the_callers_own_settings_reaches_a_service(monkeypatch):
    monkeypatch.setenv("WANGGE_LOG_LEVEL", "debug")
    monkeypatch.setenv("WANGGE_DATABASE_URI", "postgresql://elsewhere/x")
    monkeypatch.setenv("RABBITMQ_NODENAME", "rabbit@elsewhere")
    monkeypatch.setenv("PGHOST", "elsewhere")
    cleaned = clean_environment()
    assert cleaned["WANGGE_LOG_LEVEL"] == "debug"
    assert cleaned["PATH"] == os.environ["PATH"]
    assert not {"WANGGE_DATABASE_URI", "RABBITMQ_NODENAME", "PGHOST"} & set(cleaned)


def test_file_is_replaced_whole_and_kept_from_others(tmp_path: Path):
    path = tmp_path / "new" / "facts.json"
    write_json(path, {"网格": 1})
    write_json(path, {"网格": 2})
    assert read_json(path) == {"网格": 2}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["facts.json"]


def test_waiting_ends_at_the_deadline():
    start = time.monotonic()
    assert not wait_until(lambda: False, 0.2)
    assert time.monotonic() - start < 5
