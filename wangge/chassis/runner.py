"""Runs one service as a process: migrate, declare, serve, drain on SIGTERM.

`python -m services.<name>` serves; `python -m services.<name> migrate` only prepares database and broker, so that an
operator can prepare all services before the first of them tells anything.
"""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import eventlet
import nameko
from environs import EnvError
from eventlet.event import Event as Signal
from nameko.containers import ServiceContainer

from wangge.chassis import broker, failpoints, logging, waits
from wangge.chassis.app import App
from wangge.chassis.errors import Infrastructure, Permanent, Refusal
from wangge.chassis.faults import classify
from wangge.chassis.held import HandlerTimeout
from wangge.chassis.service import Service, handlers_of
from wangge.chassis.settings import Settings
from wangge.contracts.registry import Registry

log = logging.get_logger(__name__)

#: Seconds a starting process waits for its database and broker.
START_SECONDS = 60

#: When garbage is collected: a batch makes some ten thousand objects and leaves hardly any in cycles.
GARBAGE = (20_000, 20, 20)


class Container(ServiceContainer):  # type: ignore[misc]
    """nameko's container, with the process's app for its extensions."""

    def __init__(self, service_cls: type[Service], app: App) -> None:
        self.app = app
        super().__init__(service_cls)


def build(service_cls: type[Service], settings: Settings, registry: Registry) -> App:
    """The app of a service class, its handlers bound, nothing opened yet."""
    package = import_module(service_cls.__module__.rpartition(".")[0])
    migrations = {"alembic_version": Path(str(package.__file__)).parent / "migrations"}
    app = App(
        settings,
        registry,
        migrations,
        lambda: eventlet.Timeout(settings.handler_seconds, HandlerTimeout()),
    )
    service = service_cls()
    service.app = app
    app.handlers = handlers_of(service)
    app.service = service
    return app


def main(service_cls: type[Service], registry: Registry) -> None:
    """The process. Exits 0 after a drained stop, 1 when it cannot start, with the reason on standard error."""
    try:
        settings = Settings.from_environment(service_cls.name)
    except (EnvError, Refusal) as wrong:
        sys.exit(f"{service_cls.name} cannot start: {_why(wrong)}")
    logging.configure(settings.service, settings.cell, settings.log_level)
    failpoints.arm(settings.failpoints)
    app = build(service_cls, settings, registry)
    is_migrating = sys.argv[1:] == ["migrate"]
    try:
        _prepare(app.migrate if is_migrating else partial(_migrate_apart, service_cls, app), app)
    except (Infrastructure, Permanent, Refusal) as why:
        log.error("cannot start", cause=_why(why))
        sys.exit(1)
    if is_migrating:
        log.info("prepared", service=settings.service)
        return
    _serve(service_cls, app)


def _migrate_apart(service_cls: type[Service], app: App) -> None:
    """Let a process of its own apply what is missing, so that the serving one need not load what applies it."""
    if app.is_migrated():
        return
    package = service_cls.__module__.rpartition(".")[0]
    if subprocess.run([sys.executable, "-m", package, "migrate"], check=False).returncode:
        raise Permanent("migrate.failed", f"`python -m {package} migrate` failed; its log says why")


def _why(error: Exception) -> str:
    """In words; of a wrong setting every one that is wrong."""
    if not isinstance(error, Refusal):
        return str(error)
    return "; ".join(f"{each['field']}: {each['message']}" for each in error.errors) or error.en


def _prepare(migrate: Callable[[], None], app: App) -> None:
    """Migrate and declare, waiting for database and broker where they are just coming up."""
    until = time.monotonic() + START_SECONDS
    for step in (migrate, app.find_clock, app.declare):
        attempt = 0
        while not _is_done(step, until):
            eventlet.sleep(broker.backoff(attempt))
            attempt += 1


def _is_done(step: Callable[[], None], until: float) -> bool:
    """Try a step; False when what it needs is away. Raises `Infrastructure` when it is away for too long."""
    try:
        step()
    except Exception as error:
        if isinstance(error, Refusal):
            raise
        if not isinstance(error, OSError) and not isinstance(classify(error), Infrastructure):
            raise
        if time.monotonic() > until:
            raise Infrastructure(str(error)) from error
        log.info("waiting to start", cause=str(error).strip())
        return False
    return True


def _serve(service_cls: type[Service], app: App) -> None:
    waits.bound_waits()
    with nameko.config.patch({"max_workers": app.settings.workers}):
        container = Container(service_cls, app)
        container.start()
        stop = Signal()
        _on_signals(stop, app)
        eventlet.spawn(container.wait).link(lambda thread: None if stop.ready() else stop.send("died"))
        gc.collect()
        gc.freeze()  # what was loaded lives as long as the process: no later collection need look at it
        gc.set_threshold(*GARBAGE)
        log.info(
            "serving",
            http=app.settings.http_port,
            health=app.settings.health_port,
            areas=app.settings.areas,
        )
        why = stop.wait()
        if why == "died":
            log.error("service died")
            sys.exit(1)
        app.is_draining = True
        container.stop()
        log.info("stopped", cause=why)


def _on_signals(stop: Any, app: App) -> None:
    def ask_to_stop(number: int, frame: Any) -> None:
        if app.is_draining:
            sys.exit(1)
        app.is_draining = True
        eventlet.spawn_n(lambda: None if stop.ready() else stop.send(signal.Signals(number).name))

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
