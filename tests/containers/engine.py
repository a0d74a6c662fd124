"""Docker's engine for the tests: the one that answers here, else one of our own that leaves nothing behind."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest
import requests

from wangge.cli.local.waiting import wait_until

#: Seconds that an engine may take to start, and to stop.
ENGINE_SECONDS = 60.0


@contextmanager
def an_engine() -> Iterator[docker.DockerClient]:
    """A client of an engine; `DOCKER_HOST` names it to the commands that are called. Skips where there is none."""
    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException:
        with _own_engine() as client:
            yield client
    else:
        yield client


@contextmanager
def _own_engine() -> Iterator[docker.DockerClient]:
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("no Docker engine answers; to start one here takes root and dockerd (Debian: docker.io)")
    home = Path(tempfile.mkdtemp(prefix="wangge-engine-"))
    host = f"unix://{home}/docker.sock"
    command = [
        "dockerd",
        "--host",
        host,
        "--data-root",
        str(home / "data"),
        "--exec-root",
        str(home / "exec"),
    ]
    with (home / "log").open("wb") as log:
        engine = subprocess.Popen([*command, "--pidfile", str(home / "pid")], stdout=log, stderr=log)
    try:
        if not wait_until(lambda: _answers(host) or engine.poll() is not None, ENGINE_SECONDS):
            pytest.fail("dockerd gave no answer in time")
        if engine.poll() is not None:
            pytest.skip("dockerd cannot run here: " + (home / "log").read_text(errors="replace")[-600:])
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DOCKER_HOST", host)
            yield docker.DockerClient(host)
    finally:
        engine.terminate()
        engine.wait(ENGINE_SECONDS)
        shutil.rmtree(home, ignore_errors=True)


def _answers(host: str) -> bool:
    try:
        return bool(docker.DockerClient(host).ping())  # asks for the engine's version as soon as it is made
    except (docker.errors.DockerException, requests.RequestException):
        return False
