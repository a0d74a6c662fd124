"""Looking a host name up in a process of greenlets, with a name server that takes its time."""

import subprocess
import sys

SLOW_NAME_SERVER = """
import eventlet
eventlet.monkey_patch()
import socket, time
from eventlet import patcher
from services.notify import resolving

sleep = patcher.original("time").sleep
real = resolving._blocking.getaddrinfo

def slow(host, port, family=0, kind=0, proto=0, flags=0):
    if host == "slow.example" and not flags & socket.AI_NUMERICHOST:
        sleep(1.0)
        host = "127.0.0.1"
    return real(host, port, family, kind, proto, flags)

resolving._blocking.getaddrinfo = slow
resolving.install()
turns = []

def turn():
    while True:
        turns.append(1)
        eventlet.sleep(0.01)

eventlet.spawn(turn)
began = time.monotonic()
assert socket.getaddrinfo("127.0.0.1", 80)[0][4] == ("127.0.0.1", 80)
assert time.monotonic() - began < 0.5, "numbers need no name server"
assert socket.getaddrinfo("slow.example", 80, 0, socket.SOCK_STREAM)[0][4] == ("127.0.0.1", 80)
assert time.monotonic() - began > 0.9, "the name server was not asked"
assert len(turns) > 20, f"the process stood still: {len(turns)} turns"
try:
    socket.getaddrinfo("no-such-host.invalid", 80)
except socket.gaierror:
    print("fine")
"""


def test_slow_name_server_does_not_hold_the_process():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SLOW_NAME_SERVER],
        env={"EVENTLET_NO_GREENDNS": "yes"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "fine"), done.stderr
