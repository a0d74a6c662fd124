"""The private PostgreSQL of a local system: one database and one owner for each service."""

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from wangge.cli.errors import CommandFailed
from wangge.cli.local import debian
from wangge.cli.local.files import write_atomically
from wangge.cli.local.servers import Server

ADMIN = "wangge"
#: PostgreSQL refuses to run as root; then it runs as the user that Debian's package makes.
SERVER_USER = "postgres"
#: Where the data lie when root's own directory cannot be entered by that user.
DATA_ELSEWHERE = Path("/var/lib/wangge")
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "random_page_cost": "1.1",  # the data are on a solid disk, or in memory
}


def can_be_entered_by_all(directory: Path) -> bool:
    """Tell whether every user may pass through this directory and all above it."""
    resolved = directory.resolve()
    return all(path.stat().st_mode & 0o001 for path in (resolved, *resolved.parents))


class Postgres(Server):
    """PostgreSQL on 127.0.0.1 with passwords (scram-sha-256) and no socket file."""

    name = "postgres"
    stop_signal = (
        signal.SIGINT
    )  # "fast": ends open transactions; SIGTERM would wait for every client to leave

    def prepare(self) -> None:
        self.ports.claim("postgres")
        self._lay_home()
        if not (self._data / "PG_VERSION").exists():
            self._initialise()

    def command(self) -> list[str]:
        settings = {**SETTINGS, "port": str(self.ports.of("postgres"))}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return self._as_server_user(str(debian.path_of("postgres")), "-D", str(self._data), *options)

    def is_ready(self) -> bool:
        try:
            self._execute("select 1")
        except psycopg2.OperationalError:
            return False
        return True

    def provision(self, service: str) -> None:
        """A login that owns the database of the same name, which no other service may open."""
        role, password = sql.Identifier(service), sql.Literal(self.secrets.password(f"database-{service}"))
        if not self._query("select 1 from pg_roles where rolname = %s", service):
            self._execute(sql.SQL("create role {} login").format(role))
        self._execute(sql.SQL("alter role {} password {}").format(role, password))
        if not self._query("select 1 from pg_database where datname = %s", service):
            self._execute(sql.SQL("create database {0} owner {0}").format(role))
        self._execute(sql.SQL("revoke all on database {}, postgres, template1 from public").format(role))

    def url(self) -> str:
        return self._address(ADMIN, "postgres-admin", "postgres")

    def service_url(self, service: str) -> str:
        address = self._address(service, f"database-{service}", service)
        return address.replace("postgresql://", "postgresql+psycopg2://")

    def version(self) -> str:
        return str(self._query("show server_version")[0][0])

    def create_database(self, name: str) -> str:
        """Make an empty database for a test and return its administrator's address (SQLAlchemy's form)."""
        self._execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        address = self._address(ADMIN, "postgres-admin", name)
        return address.replace("postgresql://", "postgresql+psycopg2://")

    def drop_database(self, name: str) -> None:
        """Remove a database that `create_database` made, whoever is still connected."""
        self._execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def erase(self) -> None:
        """Remove the data of a stopped server, wherever they lie."""
        shutil.rmtree(self.home.resolve(), ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self.home.resolve() / "data"

    def _lay_home(self) -> None:
        """Make the data's home one that the server's user can enter and owns."""
        if os.geteuid() != 0:
            return
        if not can_be_entered_by_all(self.home.parent) and not self.home.is_symlink():
            digest = hashlib.sha256(str(self.home.resolve()).encode()).hexdigest()[:16]
            elsewhere = DATA_ELSEWHERE / digest
            elsewhere.mkdir(parents=True, exist_ok=True)
            DATA_ELSEWHERE.chmod(0o711)
            self.home.rmdir()
            self.home.symlink_to(elsewhere)
        self.home.resolve().chmod(0o700)
        shutil.chown(self.home.resolve(), SERVER_USER, SERVER_USER)

    def _initialise(self) -> None:
        password_file = self.home.resolve() / "password"
        write_atomically(password_file, self.secrets.password("postgres-admin"))
        if os.geteuid() == 0:
            shutil.chown(password_file, SERVER_USER)
        initdb = debian.path_of("postgres").with_name("initdb")
        arguments = ("-D", self._data, "-U", ADMIN, "--auth=scram-sha-256", f"--pwfile={password_file}")
        rest = ("--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions", "--no-sync")
        command = self._as_server_user(*map(str, (initdb, *arguments, *rest)))
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
        password_file.unlink()
        if done.returncode:
            raise CommandFailed(f"initdb could not make a database cluster:\n{done.stdout}{done.stderr}")

    def _as_server_user(self, *command: str) -> list[str]:
        if os.geteuid() != 0:
            return list(command)
        user = pwd.getpwnam(SERVER_USER)
        return [
            "setpriv",
            f"--reuid={user.pw_uid}",
            f"--regid={user.pw_gid}",
            "--init-groups",
            "--",
            *command,
        ]

    def _address(self, user: str, secret: str, database: str) -> str:
        port = self.ports.of("postgres")
        return f"postgresql://{user}:{self.secrets.password(secret)}@127.0.0.1:{port}/{database}"

    def _query(self, statement: str, *values: str) -> list[tuple[object, ...]]:
        with self._cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def _execute(self, statement: str | sql.Composable) -> None:
        with self._cursor() as cursor:
            cursor.execute(statement)

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        with closing(psycopg2.connect(self.url(), connect_timeout=5)) as connection:
            connection.autocommit = True  # CREATE DATABASE cannot run inside a transaction
            with connection.cursor() as cursor:
                yield cursor
