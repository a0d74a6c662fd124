"""What a newcomer sees: the stories come about at their exact instants, the samples go round, commands answer."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wangge.cli import demo
from wangge.cli.app import app
from wangge.cli.local import LocalSystem

RUNNER = CliRunner(env={"COLUMNS": "200"})

pytestmark = pytest.mark.usefixtures("hexixijie", "liangjiazhuang", "released_clock")


@pytest.fixture
def incidents(tmp_path: Path) -> Path:
    """Given a good incident and one with two wrong fields."""
    good = {"text": "槐荫巷路灯坏了两盏", "channel": "hotline_12345"}
    bad = {"text": "", "channel": "pigeon"}
    path = tmp_path / "incidents.ndjson"
    path.write_text("".join(json.dumps(each) + "\n" for each in (good, bad)), encoding="utf-8")
    return path


def run(system: LocalSystem, *command: str) -> str:
    """What the command prints; it must succeed."""
    result = RUNNER.invoke(app, [*command, "--directory", str(system.directory)])
    assert result.exit_code == 0, result.exception
    return result.output


@pytest.mark.parametrize("name", ["hexixijie", "liangjiazhuang"])
def test_a_story_comes_about_as_its_pack_says(system: LocalSystem, name: str) -> None:
    play = demo.replay(system.directory, name)
    assert play.said


def test_the_samples_of_both_sites_go_round_to_closed_cases_notices_and_points(system: LocalSystem) -> None:
    for play in demo.show(system.directory, demo.SAMPLES, pace=0.05):
        closed = [told for told in play.told.values() if told.case.get("state") == "closed"]
        assert len(closed) + [told.outcome for told in play.told.values()].count("merged") == len(play.told)
        assert play.is_answered()
        assert all(message["state"] == "delivered" for message in play.notices)
        assert any(float(member["evaluation"]["award"]) > 0 for member in play.members.values())


@pytest.mark.parametrize("way", [[], ["--http"]])
def test_each_published_incident_gets_a_receipt_that_names_every_wrong_field(
    system: LocalSystem, incidents: Path, way: list[str]
) -> None:
    printed = run(system, "publish", str(incidents), "--login", "hotline12345", *way)
    assert "accepted" in printed
    assert "data.text: Length must be between 1 and 4000." in printed
    assert "data.channel: Must be one of" in printed


def test_what_could_not_be_processed_is_listed_shown_and_dropped_with_a_reason(
    system: LocalSystem, incidents: Path
) -> None:
    run(system, "publish", str(incidents), "--login", "hotline12345")
    listed = [line.split() for line in run(system, "held", "list", "--service", "intake").splitlines()]
    held_id = next(line[1] for line in reversed(listed) if "bad_data" in line)
    shown = json.loads(run(system, "held", "show", "intake", held_id))
    assert {error["field"] for error in shown["errors"]} == {"data.text", "data.channel"}
    assert "dropped" in run(system, "held", "drop", "intake", held_id, "--reason", "测试数据")
    assert json.loads(run(system, "held", "show", "intake", held_id))["reason"] == "测试数据"


def test_the_clock_of_every_service_is_set_and_released(system: LocalSystem) -> None:
    processes = len(system.addresses.services)
    printed = run(system, "clock", "set", "2023-09-14T19:00")
    assert printed.count("2023-09-14 19:00:00 stands still") == processes
    assert run(system, "clock", "advance", "60").count("2023-09-14 19:01:00") == processes
    assert run(system, "clock", "release").count(" runs") == processes


def test_to_apply_a_pack_again_changes_nothing(system: LocalSystem) -> None:
    printed = run(system, "site", "apply", str(demo.SITES / "hexixijie"))
    assert printed.count("nothing") == len(system.services)
