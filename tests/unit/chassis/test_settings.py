from pathlib import Path

import pytest
from environs import EnvError

from wangge.chassis.errors import Invalid
from wangge.chassis.settings import Settings, read_cell


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
    monkeypatch.setenv("WANGGE_CELL", "xinghua")
    monkeypatch.setenv("WANGGE_AREAS", "14.01.09.004,140802002")
    settings = Settings.from_environment("notify")
    assert settings.amqp_uris == ("amqp://a:b@one:5672//", "amqp://a:b@two:5672//")
    assert settings.areas == ("140109004", "140802002")


def test_a_wrong_variable_is_named(monkeypatch):
    monkeypatch.setenv("WANGGE_LANES", "many")
    with pytest.raises(EnvError, match="WANGGE_LANES"):
        Settings.from_environment("notify")


@pytest.mark.parametrize(
    ("cell", "areas", "lanes", "said"),
    [
        ("home", ["140802002"], 4, ["WANGGE_AREAS: home takes what no other cell serves"]),
        ("xinghua", [], 4, ["WANGGE_AREAS: say which areas xinghua serves"]),
        ("inbox", ["140802002"], 4, ["WANGGE_CELL: 'inbox'"]),
        ("Xing Hua", ["140802002"], 4, ["WANGGE_CELL: 'Xing Hua'"]),
        ("xinghua", ["140802002"], 0, ["WANGGE_LANES: 0"]),
        ("xinghua", ["140802002", "14.08.02.002.901"], 4, ["140802002 and 140802002901 overlap"]),
        (
            "xinghua",
            ["14.08.2.002", "14080x", "140802002"],
            4,
            ["'14.08.2.002': area words: county", "'14080x'"],
        ),
    ],
)
def test_everything_that_is_wrong_with_a_cell_is_named_at_once(cell, areas, lanes, said):
    with pytest.raises(Invalid) as refused:
        read_cell(cell, areas, lanes)
    told = [f"{each['field']}: {each['message']}" for each in refused.value.errors]
    assert len(told) == len(said)
    assert all(word in line for word, line in zip(said, told, strict=True))
