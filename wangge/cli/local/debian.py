"""Gets the servers from Debian's packages where they are missing, without starting or configuring any."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from wangge.cli.errors import CommandFailed

#: Each program that a local system runs, the package that holds it, and where it may be.
PROGRAMS = {
    "postgres": ("postgresql", "/usr/lib/postgresql/*/bin/postgres"),
    "rabbitmq-server": ("rabbitmq-server", "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"),
    "redis-server": ("redis-server", "/usr/bin/redis-server"),
    "epmd": ("erlang-base", "/usr/bin/epmd"),
    "amqp-publish": ("amqp-tools", "/usr/bin/amqp-publish"),
}
#: Forbids package scripts to start the services that they install (Debian policy: 101 = not allowed).
POLICY = Path("/usr/sbin/policy-rc.d")
#: Keeps PostgreSQL's package from making and starting a database cluster of its own.
NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/wangge.conf")
#: Seconds to wait while another apt (unattended upgrades of a fresh machine) holds the lock.
LOCK_WAIT = "DPkg::Lock::Timeout=300"


def find(program: str) -> Path | None:
    """Where the newest installed version of this program is, or None."""
    pattern = PROGRAMS[program][1]
    found = sorted(Path("/").glob(pattern.lstrip("/")), key=_version)
    if found:
        return found[-1]
    elsewhere = shutil.which(program)
    return Path(elsewhere) if elsewhere else None


def path_of(program: str) -> Path:
    """Where this program is.

    Raises:
        CommandFailed: it is not installed; the text names the package.
    """
    found = find(program)
    if found is None:
        raise CommandFailed(f"{program} is not installed: `apt-get install {PROGRAMS[program][0]}`.")
    return found


def missing_packages() -> list[str]:
    """The packages whose programs are not on this machine."""
    return sorted({package for program, (package, _) in PROGRAMS.items() if find(program) is None})


def install_missing() -> list[str]:
    """Install what is missing and return the names of the packages.

    Raises:
        CommandFailed: there is no apt here, or no right to use it, or it failed.
    """
    packages = missing_packages()
    if packages:
        install(packages)
    return packages


def install(packages: list[str]) -> None:
    """Install these packages.

    Raises:
        CommandFailed: there is no apt here, or no right to use it, or it failed.
    """
    _check_that_apt_can_run(packages)
    with ExitStack() as stack:
        stack.enter_context(_file_for_a_while(POLICY, "#!/bin/sh\nexit 101\n", 0o755))
        stack.enter_context(_file_for_a_while(NO_CLUSTER, "create_main_cluster = false\n", 0o644))
        _apt("update")
        _apt("install", "--yes", "--no-install-recommends", *packages)


def _version(path: Path) -> list[int]:
    digits = "".join(character if character.isdigit() else " " for character in str(path))
    return [int(number) for number in digits.split()]


def _check_that_apt_can_run(packages: list[str]) -> None:
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise CommandFailed(f"This machine lacks {names} and has no apt-get: install them by its own means.")
    if os.geteuid() != 0:
        raise CommandFailed(
            f"This machine lacks {names}: as root, run `apt-get install {names}`, then again."
        )


@contextmanager
def _file_for_a_while(path: Path, text: str, mode: int) -> Iterator[None]:
    """Have this file while packages are installed; one that is there already is left as it is."""
    if path.exists():
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")
    path.chmod(mode)
    try:
        yield
    finally:
        path.unlink()


def _apt(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", "-o", LOCK_WAIT, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandFailed(f"apt-get {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}".rstrip())


def main() -> None:
    """What `scripts/bootstrap` calls: install what is missing and say so."""
    missing = missing_packages()
    if not missing:
        return
    print(f"bootstrap: installing Debian's packages {', '.join(missing)}", flush=True)
    try:
        install_missing()
    except CommandFailed as failure:
        sys.exit(str(failure))
