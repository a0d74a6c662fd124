"""A green process waits for PostgreSQL for a bounded time, and its pool is of use again afterwards."""

import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from kit.proxy import Proxy

#: A green process of two threads of work: one asks a database that falls silent, the other must go on turning.
PROGRAM = """
import sys, time
import eventlet; eventlet.monkey_patch()
from sqlalchemy import text
from wangge.chassis import pipelining, waits
from wangge.chassis.database import connect
from wangge.chassis.faults import classify
waits.ANSWER_SECONDS = 1.0
pipelining.UNTRIED_SECONDS = 0.0
waits.bound_waits()
engine = connect(sys.argv[1], 2)
def ask():
    with engine.connect() as connection:
        return connection.execute(text("SELECT 1")).scalar()
def turns():
    global turned
    while True:
        turned += 1
        eventlet.sleep(0.01)
turned = 0
assert ask() == 1
eventlet.spawn(turns)
print("spoil", flush=True); sys.stdin.readline()
started = time.monotonic()
try:
    ask()
except Exception as error:
    print(type(classify(error)).__name__, flush=True)
assert time.monotonic() - started < 10
assert turned > 20
print("mend", flush=True); sys.stdin.readline()
print(ask(), flush=True)
"""


@pytest.fixture
def line(servers) -> Iterator[Proxy]:
    made = Proxy(servers.ports.of("postgres"))
    yield made
    made.close()


@pytest.mark.parametrize("blow", ["blackhole", "forget_clients"])
def test_a_database_that_falls_silent_is_an_infrastructure_fault_within_bounded_time(
    line, database_uri, blow
):
    uri = line.through(database_uri)
    assert urlsplit(uri).port == line.port
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, uri],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "spoil\n"
        getattr(line, blow)()
        tell(process)
        said = process.stdout.readline()
        if blow == "blackhole":
            assert said == "Infrastructure\n"
            said = process.stdout.readline()
        assert said == "mend\n"
        line.mend()
        tell(process)
        assert process.stdout.readline() == "1\n"
    assert process.returncode == 0


def tell(process):
    process.stdin.write("\n")
    process.stdin.flush()
