"""The deployment of the runbook: it comes up, does its work, is closed to others, and goes down in order.

The tests share one deployment and run in this order; the last one stops it.
"""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from containers.deployment import DEPLOY, Deployment

from wangge.cli.local import SERVICES
from wangge.cli.local.waiting import wait_until

LAMP = {"text": "北院门口路灯不亮，晚上看不清路", "channel": "hotline_12345", "external_no": "C-0052"}
#: Seconds within which a report goes round; a first message also waits for connections and plans.
ROUND_SECONDS = 60.0
#: The grace that compose.yaml gives a service.
GRACE_SECONDS = 40


def eventually(look: Callable[[], Any]) -> Any:
    """What `look` answers once it answers something true."""
    found: list[Any] = []

    def reached() -> bool:
        found[:] = [look()]
        return bool(found[0])

    assert wait_until(reached, ROUND_SECONDS), f"not within {ROUND_SECONDS:.0f} s"
    return found[0]


def queues(deployment: Deployment) -> dict[str, dict[str, Any]]:
    password = (deployment.secrets / "secrets" / "broker-admin").read_text()
    url = f"http://127.0.0.1:{deployment.ports['MANAGEMENT']}/api/queues"
    return {row["name"]: row for row in requests.get(url, auth=("wangge", password), timeout=30).json()}


@pytest.fixture(scope="module")
def token(deployment: Deployment) -> str:
    return deployment.wangge("token", "--person", "op-1", "--role", "admin", "--area", "14").strip()


def test_steps_ended_well_and_every_service_is_ready(deployment: Deployment) -> None:
    for step in ("init", *(f"migrate-{name}" for name in SERVICES)):
        assert deployment.container(step).attrs["State"]["ExitCode"] == 0
    for name in SERVICES:
        last = deployment.container(name).attrs["State"]["Health"]["Log"][-1]
        checks = json.loads(last["Output"])["checks"]
        expected = dict.fromkeys(("database", "schema", "broker", "publishing", "outbox"), "ok")
        uses_redis = {"redis": "ok"} if name in ("intake", "points") else {}
        assert checks == expected | uses_redis | {"draining": "no"}


def test_a_service_runs_without_rights_and_writes_nowhere(deployment: Deployment) -> None:
    for name in SERVICES:
        container = deployment.container(name)
        assert container.exec_run("id -u").output == b"10001\n"
        assert container.exec_run("touch /opt/wangge/anything").exit_code != 0
        assert container.exec_run("cat /proc/1/status").output.count(b"CapEff:\t0000000000000000") == 1
        assert not container.exec_run("sh -c 'ls /run/secrets | grep -i token'").output


def test_only_this_machine_reaches_what_is_published(deployment: Deployment) -> None:
    for name in (*SERVICES, "rabbitmq", "postgres", "redis"):
        published = deployment.container(name).attrs["NetworkSettings"]["Ports"] or {}
        addresses = {row["HostIp"] for rows in published.values() for row in rows or []}
        assert addresses <= {"127.0.0.1"}
        assert not (name in ("postgres", "redis") and addresses)


def test_a_published_incident_becomes_a_case(deployment: Deployment, token: str) -> None:
    deployment.wangge("site", "apply", "sites/hexixijie")
    shown = deployment.wangge("publish", "-", "--login", "hotline12345", text=json.dumps(LAMP))
    assert "accepted" in shown
    code = re.findall(r"BG\d{8}-\d{6}", shown)[0]
    cases = eventually(lambda: deployment.get("dispatch", f"/v1/cases?report_code={code}", token)["items"])
    assert cases[0]["category"] == "C0137"
    assert cases[0]["area"].startswith("140802002902")


def test_starting_again_changes_nothing(deployment: Deployment, token: str) -> None:
    before = {name: deployment.container(name).id for name in SERVICES}
    handed = {path.name: path.read_text() for path in (deployment.secrets / "mounts").iterdir()}
    deployment.wangge("provision", "secrets")
    deployment.compose("up", "--detach")
    assert before == {name: deployment.container(name).id for name in SERVICES}
    assert handed == {path.name: path.read_text() for path in (deployment.secrets / "mounts").iterdir()}
    deployment.wait_ready(*SERVICES)
    assert deployment.get("dispatch", "/v1/cases", token)["items"]


def test_a_cell_takes_the_messages_of_its_areas(deployment: Deployment, token: str) -> None:
    deployment.files.append(DEPLOY / "cell.example.yaml")
    deployment.compose("up", "--detach", "dispatch-dongcheng")
    deployment.wait_ready("dispatch-dongcheng")
    # until home has worked off what it has of these areas, the cell holds back what comes
    eventually(lambda: _states_of_cells(deployment, token).get("dongcheng") == "open")
    before = deployment.get("dispatch", "/v1/cases", token)["items"]
    deployment.container("dispatch").pause()
    try:
        incident = {**LAMP, "external_no": "C-0053", "text": "文化路停车场入口有人乱扔垃圾"}
        deployment.wangge("publish", "-", "--login", "hotline12345", text=json.dumps(incident))
        port = deployment.container("dispatch-dongcheng")
        eventually(
            lambda: b'wangge_events_total{result="done",type="report.accepted.v1"} 1.0' in _metrics(port)
        )
    finally:
        deployment.container("dispatch").unpause()
    assert len(deployment.get("dispatch", "/v1/cases", token)["items"]) == len(before) + 1
    assert {f"dispatch.dongcheng.{lane}" for lane in range(2)} <= set(queues(deployment))


def _states_of_cells(deployment: Deployment, token: str) -> dict[str, str]:
    return {cell["name"]: cell["state"] for cell in deployment.get("dispatch", "/v1/cells", token)["items"]}


def _metrics(container: Any) -> bytes:
    program = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8102/metrics').read().decode())"
    output: bytes = container.exec_run(["python", "-c", program]).output
    return output


def test_a_container_that_is_told_to_stop_finishes_and_exits_with_0(deployment: Deployment) -> None:
    for name in SERVICES:
        container = deployment.container(name)
        started = time.monotonic()
        container.stop(timeout=GRACE_SECONDS)
        assert time.monotonic() - started < GRACE_SECONDS
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0, container.logs(tail=20).decode()
    waiting = {name: row.get("messages_unacknowledged", 0) for name, row in queues(deployment).items()}
    assert not any(waiting.values())
