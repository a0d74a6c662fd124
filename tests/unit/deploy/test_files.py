"""The files that compose, Prometheus and Grafana read can be read, and name only what exists."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from wangge.chassis import metrics
from wangge.cli.local import SERVICES
from wangge.cli.provision import Deployment, Hosts

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
HOSTS = Hosts("postgres:5432", "rabbitmq:5672", "rabbitmq:15672", "redis:6379")


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def alerts() -> list[dict[str, Any]]:
    return [rule for group in read("prometheus/alerts.yml")["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (DEPLOY / "grafana/dashboards/wangge.json").read_text(encoding="utf-8")
    )
    return found


def expressions() -> list[str]:
    shown = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    return [rule["expr"] for rule in alerts()] + shown


@pytest.mark.parametrize(
    "path", [path.relative_to(DEPLOY) for path in sorted(DEPLOY.rglob("*.y*ml")) if "build" not in path.parts]
)
def test_every_yaml_file_can_be_read(path: Path) -> None:
    assert read(str(path))


@pytest.mark.parametrize("expression", expressions())
def test_alerts_and_dashboard_ask_only_for_series_that_services_have(expression: str) -> None:
    collectors = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    told = {name for each in collectors for name in REGISTRY._collector_to_names[each]}
    asked = set(re.findall(r"\bwangge_\w+", expression))
    assert asked <= told


def test_every_alert_tells_how_urgent_it_is_and_has_its_section_in_the_runbook() -> None:
    runbook = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    for rule in alerts():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert f"### {rule['alert']}\n" in runbook


def test_every_service_is_migrated_before_any_is_started() -> None:
    services = read("compose.yaml")["services"]
    steps = {f"migrate-{name}" for name in SERVICES}
    assert steps <= set(services)
    for name in SERVICES:
        waits = services[name]["depends_on"]
        assert set(waits) == steps
        assert {each["condition"] for each in waits.values()} == {"service_completed_successfully"}


def test_every_service_is_scraped() -> None:
    targets = read("prometheus/targets/services.yml")
    assert {row["labels"]["service"]: row["targets"] for row in targets} == {
        name: [f"{name}:{port + 100}"] for name, port in SERVICES.items()
    }


def test_nothing_is_published_beyond_this_machine_unless_the_operator_says_so() -> None:
    for service in read("compose.yaml")["services"].values():
        for port in service.get("ports", []):
            assert port.startswith(("127.0.0.1:", "${WANGGE_BIND:-127.0.0.1}:"))


def test_every_secret_that_containers_are_handed_is_made(tmp_path: Path) -> None:
    Deployment(tmp_path, HOSTS).write()
    wanted = {name: row["file"].rpartition("/")[2] for name, row in read("compose.yaml")["secrets"].items()}
    assert set(wanted) == set(wanted.values())
    assert set(wanted) == {path.name for path in (tmp_path / "mounts").iterdir()}


def test_a_service_is_handed_no_other_services_secrets_and_never_the_signing_key() -> None:
    compose = read("compose.yaml")
    for name in SERVICES:
        sources = {
            row if isinstance(row, str) else row["source"] for row in compose["services"][name]["secrets"]
        }
        others = {
            source
            for other in SERVICES
            if other != name
            for source in sources
            if source.startswith(f"{other}-")
        }
        assert others - {"notify-public.json"} == set()
        assert ("notify-private.json" in sources) == (name == "notify")
    assert not any("token" in name for name in compose["secrets"])


def test_the_image_gets_what_runs_and_nothing_that_only_tests() -> None:
    spec = importlib.util.spec_from_file_location("runtime_lock", DEPLOY / "runtime_lock.py")
    assert spec
    assert spec.loader
    runtime_lock = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runtime_lock)
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    needed = set(runtime_lock.for_run_time(lock))
    asked = re.findall(r"^[a-z0-9-]+", (ROOT / "requirements.in").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(asked) <= needed
    assert {"greenlet", "certifi"} <= needed  # asked for by what is asked for
    assert not {"pytest", "mypy", "ruff", "docker", "hypothesis"} & needed
