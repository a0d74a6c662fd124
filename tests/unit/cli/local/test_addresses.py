import pytest

from wangge.cli.errors import CommandFailed
from wangge.cli.local import Addresses, LocalSystem
from wangge.cli.local.status import without_password


@pytest.fixture
def system(tmp_path):
    return LocalSystem(tmp_path / "system", movable_clock=True)


def test_addresses_are_read_as_they_were_written(system):
    addresses = system.addresses
    addresses.write()
    assert Addresses.read(system.directory) == addresses
    assert (system.directory / "system.json").stat().st_mode & 0o777 == 0o600


def test_missing_system_tells_how_to_start_one(tmp_path):
    with pytest.raises(CommandFailed, match="wangge up"):
        Addresses.read(tmp_path)


def test_service_that_was_not_started_tells_how_to_start_it(system):
    with pytest.raises(CommandFailed, match="points was not started.*wangge up"):
        system.addresses.service("points")


def test_every_setting_of_a_service_names_this_system_only(system):
    env = system.service_env("dispatch")
    assert env["WANGGE_DATABASE_URI"].startswith("postgresql+psycopg2://dispatch:")
    assert env["WANGGE_AMQP_URI"].startswith("amqp://dispatch:")
    assert env["WANGGE_KEYS_DIR"] == str(system.directory / "keys")
    assert env["WANGGE_MOVABLE_CLOCK"] == "1"


def test_second_instance_has_ports_and_a_log_of_its_own_and_the_same_database(system):
    first, second = system.service_env("dispatch"), system.service_env("dispatch", "2")
    assert first["WANGGE_DATABASE_URI"] == second["WANGGE_DATABASE_URI"]
    ports = {env[key] for env in (first, second) for key in ("WANGGE_HTTP_PORT", "WANGGE_HEALTH_PORT")}
    assert len(ports) == 4
    assert system.service("dispatch").process.log != system.service("dispatch", "2").process.log


def test_settings_do_not_change_between_two_looks(system):
    again = LocalSystem(system.directory, movable_clock=True)
    assert system.service_env("intake") == again.service_env("intake")


def test_screen_shows_addresses_without_passwords():
    assert without_password("redis://:secret@127.0.0.1:6379/0") == "redis://127.0.0.1:6379/0"
    assert without_password("amqp://wangge:secret@127.0.0.1:5672//") == "amqp://127.0.0.1:5672//"
    assert without_password("http://127.0.0.1:8001") == "http://127.0.0.1:8001"
