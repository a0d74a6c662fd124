from pathlib import Path

import pytest
from environs import EnvError

from wangge.chassis.settings import Settings


def test_a_laptop_needs_none_set(monkeypatch):
    settings = Settings.from_environment("dispatch")
    assert (settings.http_port, settings.health_port, settings.cell) == (8002, 8102, "home")
    assert settings.database_uri == "postgresql+psycopg2://dispatch@127.0.0.1:5432/dispatch"
    assert settings.keys_dir == Path(".wangge/keys")
    assert settings.movable_clock is False


def test_several_brokers_and_areas_are_lists_and_a_secret_may_come_from_a_file(monkeypatch, tmp_path):
    secret = tmp_path / "uri"
    secret.write_text("amqp://a:b@one:5672//;amqp://a:b@two:5672//")
    monkeypatch.setenv("WANGGE_AMQP_URI_FILE", str(secret))
    monkeypatch.setenv("WANGGE_AREAS", "140109004,140802002")
    settings = Settings.from_environment("notify")
    assert settings.amqp_uris == ("amqp://a:b@one:5672//", "amqp://a:b@two:5672//")
    assert settings.areas == ("140109004", "140802002")


def test_a_wrong_variable_is_named(monkeypatch):
    monkeypatch.setenv("WANGGE_LANES", "many")
    with pytest.raises(EnvError, match="WANGGE_LANES"):
        Settings.from_environment("notify")
