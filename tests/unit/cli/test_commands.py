"""The command line says what is wrong in one line, with the exit status that a script needs."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wangge.cli.app import app
from wangge.cli.clock import instant
from wangge.cli.contracts import outdated
from wangge.cli.errors import CommandFailed

SITES = Path(__file__).parents[3] / "sites"
RUNNER = CliRunner()


def test_a_good_pack_is_summed_up() -> None:
    result = RUNNER.invoke(app, ["site", "check", str(SITES / "liangjiazhuang")])
    assert result.exit_code == 0
    assert "6 grids" in result.output
    assert "40 members" in result.output


def test_a_bad_pack_is_told_line_by_line_and_fails(tmp_path: Path) -> None:
    pack = Path(shutil.copytree(SITES / "hexixijie", tmp_path / "pack"))
    text = (pack / "dispatch.yaml").read_text(encoding="utf-8")
    (pack / "dispatch.yaml").write_text(text.replace("limit: 3 work_day", "limit: 3 days"), encoding="utf-8")
    result = RUNNER.invoke(app, ["site", "check", str(pack)])
    lines = result.output.splitlines()
    assert result.exit_code == 1
    assert len(lines) == text.count("limit: 3 work_day")
    assert all(line.startswith(f"{pack}/dispatch.yaml:") and "not a limit" in line for line in lines)


def test_a_folder_that_is_not_there_is_named() -> None:
    result = RUNNER.invoke(app, ["site", "check", "sites/nowhere"])
    assert isinstance(result.exception, CommandFailed)
    assert "sites/nowhere" in str(result.exception)


def test_a_bad_pack_is_not_applied(tmp_path: Path) -> None:
    pack = Path(shutil.copytree(SITES / "hexixijie", tmp_path / "pack"))
    (pack / "points.yaml").unlink()
    result = RUNNER.invoke(app, ["site", "apply", str(pack), "--directory", str(tmp_path)])
    assert isinstance(result.exception, CommandFailed)
    assert "points.yaml:1: the file is missing" in str(result.exception)


@pytest.mark.parametrize(
    "command",
    [
        ["site", "apply", str(SITES / "hexixijie")],
        ["clock", "show"],
        ["held", "list"],
        ["publisher", "add", "camera", "--source", "https://c.example", "--area", "140802002902"],
        ["demo"],
    ],
)
def test_without_a_running_system_the_command_says_how_to_start_one(
    command: list[str], tmp_path: Path
) -> None:
    result = RUNNER.invoke(app, [*command, "--directory", str(tmp_path)])
    assert isinstance(result.exception, CommandFailed)
    assert "wangge up" in str(result.exception)


def test_the_published_language_is_written_once_and_then_current(tmp_path: Path) -> None:
    assert RUNNER.invoke(app, ["contracts", "export", "--to", str(tmp_path)]).exit_code == 0
    assert outdated(tmp_path) == []
    again = RUNNER.invoke(app, ["contracts", "export", "--to", str(tmp_path)])
    assert "is current" in again.output


def test_what_is_outdated_is_named_and_a_schema_without_contract_goes(tmp_path: Path) -> None:
    RUNNER.invoke(app, ["contracts", "export", "--to", str(tmp_path)])
    (tmp_path / "asyncapi.yaml").write_text("old", encoding="utf-8")
    (tmp_path / "schemas" / "case.forgotten.v1.json").write_text("{}", encoding="utf-8")
    checked = RUNNER.invoke(app, ["contracts", "export", "--check", "--to", str(tmp_path)])
    assert isinstance(checked.exception, CommandFailed)
    assert "asyncapi.yaml, schemas/case.forgotten.v1.json" in str(checked.exception)
    RUNNER.invoke(app, ["contracts", "export", "--to", str(tmp_path)])
    assert outdated(tmp_path) == []


def test_an_instant_without_offset_is_meant_in_shanghai() -> None:
    assert instant("2023-09-14T19:00").isoformat() == "2023-09-14T19:00:00+08:00"
    assert instant("2023-09-14T11:00:00Z").isoformat() == "2023-09-14T11:00:00+00:00"
    with pytest.raises(CommandFailed, match="no instant"):
        instant("yesterday")
