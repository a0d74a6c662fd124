from pathlib import Path

import pytest

from wangge.cli.errors import CommandFailed
from wangge.cli.local import debian


@pytest.fixture
def bare_machine(monkeypatch, tmp_path):
    """A machine on which nothing is installed; what apt would be asked is listed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    programs = {
        "postgres": ("postgresql", f"{tmp_path}/lib/*/bin/postgres"),
        "epmd": ("erlang-base", "/no/epmd"),
    }
    monkeypatch.setattr(debian, "PROGRAMS", programs)
    monkeypatch.setattr(debian, "POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(debian, "NO_CLUSTER", tmp_path / "createcluster.d" / "wangge.conf")
    return tmp_path


def put_program(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_newest_version_is_taken_by_number_not_by_letter(bare_machine):
    put_program(bare_machine / "lib" / "9" / "bin" / "postgres")
    put_program(bare_machine / "lib" / "15" / "bin" / "postgres")
    assert debian.path_of("postgres") == bare_machine / "lib" / "15" / "bin" / "postgres"


def test_missing_program_names_its_package(bare_machine):
    with pytest.raises(CommandFailed, match="apt-get install postgresql"):
        debian.path_of("postgres")


def test_only_missing_packages_are_wanted(bare_machine):
    put_program(bare_machine / "lib" / "15" / "bin" / "postgres")
    assert debian.missing_packages() == ["erlang-base"]


def test_machine_without_apt_is_told_all_that_it_lacks(bare_machine):
    with pytest.raises(CommandFailed, match="lacks erlang-base postgresql and has no apt-get"):
        debian.install_missing()


def test_user_without_the_right_to_install_is_told_the_command(bare_machine, monkeypatch):
    monkeypatch.setattr(debian.os, "geteuid", lambda: 1000)
    put_program(bare_machine / "bin" / "apt-get")
    monkeypatch.setenv("PATH", str(bare_machine / "bin"))
    with pytest.raises(CommandFailed, match="as root, run `apt-get install erlang-base postgresql`"):
        debian.install_missing()


def test_packages_may_start_no_service_while_they_are_installed(bare_machine, monkeypatch):
    seen = []

    def apt(*arguments):
        seen.append((arguments[0], debian.POLICY.exists(), debian.NO_CLUSTER.read_text()))

    monkeypatch.setattr(debian, "_apt", apt)
    monkeypatch.setattr(debian, "_check_that_apt_can_run", lambda packages: None)
    assert debian.install_missing() == ["erlang-base", "postgresql"]
    assert seen == [(step, True, "create_main_cluster = false\n") for step in ("update", "install")]
    assert not debian.POLICY.exists()
    assert not debian.NO_CLUSTER.exists()


def test_policy_of_the_machine_is_left_as_it_is(bare_machine, monkeypatch):
    debian.POLICY.write_text("of the machine")
    monkeypatch.setattr(debian, "_apt", lambda *arguments: None)
    monkeypatch.setattr(debian, "_check_that_apt_can_run", lambda packages: None)
    debian.install_missing()
    assert debian.POLICY.read_text() == "of the machine"
