"""A service process is green: a slow look-up of a name holds up nobody else."""

import subprocess
import sys

SCRIPT = """
import socket
import time

asked = []

def slow(host, port, *args, **kwargs):
    asked.append(host)
    time.sleep(0.6)
    if host == "nowhere.example":
        raise socket.gaierror(-2, "Name or service not known")
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

real, socket.getaddrinfo = socket.getaddrinfo, slow

import wangge.chassis.green
import eventlet
from eventlet import patcher

patcher.original("socket").getaddrinfo = slow
ticks = []

def tick():
    while True:
        ticks.append(time.monotonic())
        eventlet.sleep(0.02)

eventlet.spawn(tick)
listener = eventlet.listen(("127.0.0.1", 0))
eventlet.spawn(listener.accept)
connection = socket.create_connection(("somewhere.example", listener.getsockname()[1]), timeout=5)
assert asked == ["somewhere.example"], asked
assert len(ticks) > 10, f"{len(ticks)} turns of another greenlet meanwhile"
try:
    socket.getaddrinfo("nowhere.example", 80)
except socket.gaierror as unknown:
    assert "not known" in str(unknown)
else:
    raise AssertionError("it was found")
with eventlet.Timeout(0.1, False):
    socket.getaddrinfo("later.example", 80)
    raise AssertionError("it cannot be given up")
patcher.original("socket").getaddrinfo = real
assert socket.getaddrinfo("::1", 80)[0][4][0] == "::1"
print("green")
"""


def test_slow_look_up_of_a_name_holds_up_nobody_else():
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.stdout, ended.returncode) == ("green\n", 0), ended.stderr
