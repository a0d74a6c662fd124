import socket

import pytest

from wangge.cli.errors import CommandFailed
from wangge.cli.local import ports
from wangge.cli.local.ports import Ports, is_free
from wangge.cli.local.services import usual_ports


@pytest.fixture
def taken_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_port_on_which_somebody_listens_is_not_free(taken_port):
    assert not is_free(taken_port)


def test_port_stays_the_same_between_runs(tmp_path):
    first = Ports(tmp_path / "ports.json", {}).claim("redis")
    assert Ports(tmp_path / "ports.json", {}).claim("redis") == first


def test_parts_of_one_system_never_share_a_port(tmp_path, monkeypatch):
    monkeypatch.setattr(ports, "RANGE", range(20000, 20010))
    monkeypatch.setattr(ports, "TRIES", 10)
    system = Ports(tmp_path / "ports.json", {})
    assert len({system.of(name) for name in "abc"}) == 3


def test_usual_port_is_taken_when_it_is_free(tmp_path, taken_port):
    system = Ports(tmp_path / "ports.json", {"busy-http": taken_port, "idle-http": 31999})
    assert system.claim("busy-http") != taken_port
    assert system.claim("idle-http") == 31999 or not is_free(31999)


def test_another_port_is_chosen_when_the_last_one_is_taken_meanwhile(tmp_path):
    system = Ports(tmp_path / "ports.json", {})
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", system.of("redis")))
        listener.listen()
        last = system.of("redis")
        assert system.claim("redis") != last
        assert system.of("redis") != last


def test_refusal_names_the_part_when_no_port_is_free(tmp_path, monkeypatch, taken_port):
    monkeypatch.setattr(ports, "RANGE", [taken_port])
    monkeypatch.setattr(ports, "TRIES", 1)
    with pytest.raises(CommandFailed, match="redis"):
        Ports(tmp_path / "ports.json", {}).claim("redis")


def test_services_have_their_customary_ports():
    assert usual_ports()["intake-http"] == 8001
    assert usual_ports()["notify-health"] == 8104
