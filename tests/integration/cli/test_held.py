"""An operator finds out on the command line where a message is, corrects it, and tries or drops what is alike."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import requests
from kit.waiting import eventually
from typer.testing import CliRunner

from wangge.cli import publishers
from wangge.cli.api import Api, Refused
from wangge.cli.app import app
from wangge.cli.errors import CommandFailed
from wangge.cli.local import LocalSystem
from wangge.cli.publish import as_message, envelope, send
from wangge.cli.publishers import Publisher

SITE = Path(__file__).parents[3] / "sites" / "hexixijie"
RUNNER = CliRunner()


@pytest.fixture(scope="module")
def intake(servers: LocalSystem) -> LocalSystem:
    """A system with the demo site."""
    servers.services = ("intake", "dispatch", "points", "notify")
    servers.start()
    run(servers, "site", "apply", str(SITE))
    return servers


def run(system: LocalSystem, *words: str, exit_code: int = 0) -> str:
    """What the command prints, on one line a row."""
    result = RUNNER.invoke(app, [*words, "--directory", str(system.directory)], env={"COLUMNS": "400"})
    if isinstance(result.exception, CommandFailed):
        raise result.exception
    assert result.exit_code == exit_code, result.output
    return result.output


def publish(system: LocalSystem, login: str, **data: Any) -> dict[str, Any]:
    """An incident of a publisher that the broker vouches for; answers its event."""
    publisher = Publisher.read(system.directory, login)
    event = envelope({"channel": "rider", "text": f"垃圾 {uuid.uuid4().hex}", **data}, publisher)
    url = publishers.broker_url(system.addresses, system.directory, login)
    send(url, login, [as_message(event, publisher)])
    return event


def listed(system: LocalSystem, *words: str) -> list[list[str]]:
    return [line.split() for line in run(system, "held", "list", *words).splitlines()[1:]]


def held_id(system: LocalSystem, event: dict[str, Any]) -> str:
    (row,) = eventually(lambda: listed(system, "--message", event["id"]))
    return row[1]


def test_a_message_is_found_by_its_senders_id_corrected_and_replayed(
    intake: LocalSystem, tmp_path: Path
) -> None:
    event = publish(intake, "rider-app", category="X1")
    number = held_id(intake, event)
    shown = json.loads(run(intake, "held", "show", "intake", number))
    assert (shown["sender"], shown["cause"]) == ("rider-app", "incident.invalid")
    event["data"]["category"] = "E0110"
    fixed = tmp_path / "fixed.json"
    fixed.write_text(json.dumps(event), encoding="utf-8")
    said = run(
        intake, "held", "edit", "intake", number, "--body", str(fixed), "--reason", "by phone", "--replay"
    )
    assert "deferred, corrected" in said
    eventually(lambda: listed(intake, "--message", event["id"])[0][2] == "done")
    with pytest.raises(CommandFailed, match="held.processed"):
        run(intake, "held", "replay", "intake", number)


def test_what_is_alike_is_shown_as_a_group_and_dropped_together(intake: LocalSystem) -> None:
    events = [publish(intake, "rider-app", channel="video") for _ in range(3)]
    for event in events:
        held_id(intake, event)
    lines = [line.split() for line in run(intake, "held", "groups", "--publisher", "rider-app").splitlines()]
    (row,) = [line for line in lines if "data.channel" in line]
    assert (row[0], row[2], row[3]) == ("intake", "3", "rider-app")
    tried = run(intake, "held", "replay", "intake", "--group", row[1], "--publisher", "rider-app")
    assert "intake: replay 3, 0 still in quarantine" in tried
    eventually(lambda: len(listed(intake, "--state", "quarantined", "--group", row[1])) == 3)
    dropped = run(intake, "held", "drop", "intake", "--group", row[1], "--reason", "wrong channel")
    assert "intake: drop 3, 0 still in quarantine" in dropped
    again = run(intake, "held", "drop", "intake", "--group", row[1], "--reason", "wrong channel")
    assert "drop 0, 0 still in quarantine: nothing was changed" in again


def test_a_group_must_be_named(intake: LocalSystem) -> None:
    with pytest.raises(CommandFailed, match="Say which"):
        run(intake, "held", "replay", "intake")


def test_a_manifest_agrees_with_the_publishers_own_list_or_names_what_differs(
    intake: LocalSystem, tmp_path: Path
) -> None:
    publishers_day = run(intake, "clock", "show").split()[1]
    sent = [publish(intake, "camera", channel="video") for _ in range(3)]
    for event in sent:
        eventually(lambda event=event: receipt(intake, "camera", event))
    own = tmp_path / "ids"
    own.write_text("\n".join(event["id"] for event in sent), encoding="utf-8")
    said = run(intake, "publisher", "manifest", "camera", publishers_day, "--ids", str(own))
    assert "The list agrees: 3 messages" in said
    own.write_text("\n".join([sent[0]["id"], sent[1]["id"], "never-arrived"]), encoding="utf-8")
    said = run(intake, "publisher", "manifest", "camera", publishers_day, "--ids", str(own), exit_code=1)
    assert "1 sent, and never arrived: send them again:\n  never-arrived" in said
    assert f"1 received on this day, and not in the list:\n  {sent[2]['id']} accepted" in said


def receipt(system: LocalSystem, login: str, event: dict[str, Any]) -> str:
    """The outcome of a message, once it has one."""
    try:
        found = Api.of_operator(system.directory).call("intake", "GET", f"/v1/receipts/{login}/{event['id']}")
    except Refused:
        return ""
    return str(found["outcome"])


def test_a_publisher_is_shown_rotated_and_ended(intake: LocalSystem) -> None:
    assert "camera 公共视频值守 hexixijie" in " ".join(run(intake, "publisher", "list").split())
    shown = run(intake, "publisher", "show", "camera")
    assert "5000 a day, 300 a minute" in shown
    assert "has its login" in shown
    old_url = publishers.broker_url(intake.addresses, intake.directory, "camera")
    old_key = publishers.api_key_of(intake.directory, "camera")
    run(intake, "publisher", "rotate", "camera")
    assert_shut_out(intake, "camera", old_url, old_key)
    event = publish(intake, "camera", channel="video")
    eventually(lambda: receipt(intake, "camera", event))
    url = publishers.broker_url(intake.addresses, intake.directory, "camera")
    key = publishers.api_key_of(intake.directory, "camera")
    run(intake, "publisher", "end", "camera")
    assert_shut_out(intake, "camera", url, key)
    assert receipt(intake, "camera", event) == "accepted"
    assert "ended" in run(intake, "publisher", "show", "camera")
    with pytest.raises(CommandFailed, match="an operator ended"):
        run(intake, "site", "apply", str(SITE))
    source = "https://camera.example/watch"
    run(intake, "publisher", "add", "camera", "--source", source, "--area", "140802002902")
    run(intake, "site", "apply", str(SITE))
    again = publish(intake, "camera", channel="video")
    eventually(lambda: receipt(intake, "camera", again))


def assert_shut_out(system: LocalSystem, login: str, url: str, key: str) -> None:
    with pytest.raises(CommandFailed):
        send(url, login, [])
    intake = system.addresses.service("intake").http_url
    answer = requests.get(f"{intake}/v1/sites", headers={"X-API-Key": key}, timeout=10)
    assert answer.status_code == 401
