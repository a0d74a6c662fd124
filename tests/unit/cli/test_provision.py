"""What `wangge provision secrets` makes for a deployment in containers, and what stays when it runs again."""

import stat
from pathlib import Path

from wangge.cli.local import SERVICES, Addresses
from wangge.cli.provision import Deployment, Hosts

HOSTS = Hosts("db.example:5432", "bus.example:5672", "bus.example:15672", "cache.example:6379")


def made(directory: Path) -> dict[str, str]:
    Deployment(directory, HOSTS).write()
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): path.read_text(encoding="utf-8") for path in files}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_again_changes_nothing(tmp_path: Path) -> None:
    assert made(tmp_path) == made(tmp_path)


def test_a_password_that_was_removed_is_made_anew_and_handed_out(tmp_path: Path) -> None:
    before = made(tmp_path)
    (tmp_path / "secrets" / "database-points").unlink()
    after = made(tmp_path)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"secrets/database-points", "mounts/points-database-uri", "system.json"}


def test_only_the_owner_enters_and_every_container_can_read_what_it_is_handed(tmp_path: Path) -> None:
    made(tmp_path)
    assert mode(tmp_path) == 0o700
    assert {mode(path) for path in (tmp_path / "mounts").iterdir()} == {0o444}
    assert mode(tmp_path / "keys" / "token-private.json") == 0o600


def test_addresses_name_the_servers_and_not_this_machine(tmp_path: Path) -> None:
    handed = made(tmp_path)
    password = handed["secrets/broker-notify"]
    assert handed["mounts/notify-amqp-uri"] == f"amqp://notify:{password}@bus.example:5672//"
    assert handed["mounts/intake-database-uri"].endswith("@db.example:5432/intake")
    assert not any("127.0.0.1" in text for text in handed.values())


def test_the_other_commands_find_the_services(tmp_path: Path) -> None:
    made(tmp_path)
    addresses = Addresses.read(tmp_path)
    assert [service.name for service in addresses.services] == list(SERVICES)
    assert addresses.service("dispatch").http_url == "http://dispatch:8002"
    assert addresses.management_url == "http://bus.example:15672"
