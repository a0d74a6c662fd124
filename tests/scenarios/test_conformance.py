"""The conformance kit judges our four services, a stock nameko program that stands in for one, and a broken one."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from kit.foreign import running, wangge, webhook
from kit.waiting import eventually
from typer.testing import CliRunner

from wangge.cli.app import app
from wangge.cli.local import SERVICES
from wangge.cli.management import Management

WANGGE = Path(sys.executable).with_name("wangge")
SITES = Path(__file__).parents[2] / "sites"
OURS = {service: ["--area", "14080200290200400", "--site", str(SITES / "hexixijie")] for service in SERVICES}
#: Foreign programs by their cell: what runs there, and the street it serves.
FOREIGN = {"stock": ("stock_nameko_notify.py", "140109001"), "broken": ("broken_notify.py", "140109002")}


@pytest.fixture(scope="module")
def reports(system, hexixijie, tmp_path_factory):
    """Every implementation judged at the same time: verdict and reason of each point, and the exit status."""
    with ExitStack() as stack:
        page = stack.enter_context(webhook())
        judged = {service: (service, OURS[service]) for service in SERVICES}
        for name, (program, street) in FOREIGN.items():
            login = f"{name}-notify"
            opened = wangge(
                system, "cell", "open", "notify", name, "--areas", street, "--lanes", "2", "--login", login
            )
            assert opened.exit_code == 0, opened.output + str(opened.exception)
            home = tmp_path_factory.mktemp(name)
            stack.enter_context(running(system, program, name, login, page, home))
            judged[name] = ("notify", ["--cell", name, "--area", f"{street}901"])
        lanes = Management(hexixijie.addresses)
        eventually(lambda: all(is_attended(lanes, name) for name in FOREIGN), 60)
        with ThreadPoolExecutor(len(judged)) as pool:
            found = pool.map(lambda each: judge(system, *each), judged.values())
            return dict(zip(judged, found, strict=True))


def is_attended(management, name):
    lanes = management.lanes("notify").get(name, [])
    return len(lanes) == 2 and all(lane.consumers for lane in lanes)


def judge(system, service, words):
    if "--cell" not in words:
        address = next(each for each in system.addresses.services if each.name == service)
        words = [*words, "--health", address.health_url]
    ended = subprocess.run(
        [
            WANGGE,
            "conformance",
            service,
            *words,
            "--json",
            "--seconds",
            "60",
            "--directory",
            system.directory,
        ],
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    points = {each["point"]: each for each in map(json.loads, ended.stdout.splitlines())}
    assert points, ended.stderr
    return ended.returncode, points


def verdicts(points, verdict):
    return {name: each["reason"] for name, each in points.items() if each["verdict"] == verdict}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("service", SERVICES)
def test_our_services_keep_every_point(reports, service):
    status, points = reports[service]
    assert verdicts(points, "fail") == {}
    assert status == 0
    assert set(verdicts(points, "skip")) <= {
        "topology.areas", "taking.publishers", "taking.twice",
        "facts.data", "facts.envelope", "facts.sequence", "facts.cause", "facts.properties", "facts.routing",
    }  # fmt: skip
    if service in ("dispatch", "notify"):
        assert points["facts.envelope"]["verdict"] == points["taking.twice"]["verdict"] == "pass"


@pytest.mark.timeout(1200)
def test_the_stock_nameko_program_keeps_every_point_that_applies(reports):
    status, points = reports["stock"]
    assert verdicts(points, "fail") == {}
    assert status == 0
    assert set(verdicts(points, "skip")) == {
        "taking.publishers", "health.live", "health.ready", "health.metrics",
    }  # fmt: skip


@pytest.mark.timeout(1200)
def test_a_broken_program_fails_on_what_it_breaks_and_nothing_else(reports):
    status, points = reports["broken"]
    failed = verdicts(points, "fail")
    assert status == 1
    assert set(failed) == {"taking.twice", "facts.envelope"}
    assert "told of twice" in failed["taking.twice"]
    assert "source is /somebody/else" in failed["facts.envelope"]


def test_a_cell_that_is_not_there_is_named(system, hexixijie):
    result = CliRunner().invoke(
        app,
        [
            "conformance",
            "notify",
            "--cell",
            "nowhere",
            "--area",
            "140109001",
            "--directory",
            str(system.directory),
        ],
    )
    assert "There is no queue notify.nowhere" in str(result.exception)
