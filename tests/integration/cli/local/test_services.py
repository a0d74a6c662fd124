"""Processes of services under `LocalSystem`, with a stand-in that answers the health page and nothing else."""

import os

import pytest
import requests

from wangge.cli.errors import CommandFailed
from wangge.cli.local import Addresses, LocalSystem

STAND_IN = """
import http.server, os, sys

if "FAIL" in os.environ:
    sys.exit("the stand-in was told to fail")

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health/ready" else 404)
        self.end_headers()
        self.wfile.write(os.environ["WANGGE_HTTP_PORT"].encode())

http.server.HTTPServer(("127.0.0.1", int(os.environ["WANGGE_HEALTH_PORT"])), Health).serve_forever()
"""


@pytest.fixture
def system(tmp_path):
    """No server runs; `services.points` is found in the system's own directory first, and there is a stand-in."""
    package = tmp_path / "services" / "points"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "__main__.py").write_text(STAND_IN)
    local = LocalSystem(tmp_path, services=("points",))
    yield local
    local.stop()


def health_of(system: LocalSystem, instance: str = "1") -> str:
    address = system.addresses.service("points", instance)
    return requests.get(f"{address.health_url}/health/ready", timeout=5).text


def test_started_service_is_ready_at_the_address_that_other_programs_read(system):
    system.start_service("points")
    address = Addresses.read(system.directory).service("points")
    assert requests.get(f"{address.health_url}/health/ready", timeout=5).ok
    assert address.http_url.endswith(f":{health_of(system)}")
    assert address.pid == system.service("points").process.pid


def test_starting_a_running_service_leaves_its_process(system):
    system.start_service("points")
    pid = system.service("points").process.pid
    system.start_service("points")
    assert system.service("points").process.pid == pid


def test_two_instances_run_beside_each_other_and_end_one_by_one(system):
    system.start_service("points")
    system.start_service("points", instance="2")
    assert health_of(system) != health_of(system, "2")
    system.stop_service("points")
    assert system.service("points").process.pid is None
    assert [service.instance for service in system.addresses.services] == ["2"]
    assert health_of(system, "2")


def test_killed_service_is_still_wanted_and_comes_back_at_the_same_address(system):
    system.start_service("points")
    before = system.addresses.service("points")
    system.kill_service("points")
    assert system.addresses.service("points").pid is None
    system.start_service("points")
    after = system.addresses.service("points")
    assert (after.http_url, after.health_url) == (before.http_url, before.health_url)
    assert after.pid not in (None, before.pid)


def test_service_that_ends_at_once_shows_its_last_words(system):
    with pytest.raises(CommandFailed, match="points ended while starting") as failure:
        system.start_service("points", {"FAIL": "1"})
    assert "the stand-in was told to fail" in str(failure.value)


def test_other_system_sees_none_of_these_processes(system, tmp_path):
    system.start_service("points")
    other = LocalSystem(tmp_path / "other")
    assert other.wanted_services() == []
    other.stop()
    assert os.getsid(system.service("points").process.pid)


def test_directory_that_holds_no_system_is_never_erased(tmp_path):
    (tmp_path / "precious").touch()
    with pytest.raises(CommandFailed, match="holds no system"):
        LocalSystem(tmp_path).erase()
    assert (tmp_path / "precious").exists()
