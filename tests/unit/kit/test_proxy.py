"""The proxy of the fault tests does to a connection what it says."""

import socket
import threading
import time
from contextlib import suppress

import pytest
from kit.proxy import Proxy


@pytest.fixture
def echo():
    """A server that answers what it is told; its port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection):
        with suppress(OSError), connection:
            while data := connection.recv(65536):
                connection.sendall(data)

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


@pytest.fixture
def proxy(echo):
    made = Proxy(echo)
    yield made
    made.close()


def connected(proxy):
    client = socket.create_connection(("127.0.0.1", proxy.port), timeout=2)
    assert echoed(client) == b"hello"
    return client


def echoed(client):
    client.sendall(b"hello")
    return client.recv(100)


def until_reset(client):
    heard = b""
    with suppress(ConnectionResetError):
        while data := client.recv(100):
            heard += data
        raise AssertionError("ended in order")
    return heard


def test_a_good_network_passes_everything(proxy):
    connected(proxy).close()


def test_an_address_leads_through_the_proxy(proxy, echo):
    assert proxy.through(f"amqp://a:b@127.0.0.1:{echo}//") == f"amqp://a:b@127.0.0.1:{proxy.port}//"


def test_latency_delays_each_direction(proxy):
    client = connected(proxy)
    proxy.latency = 0.2
    started = time.monotonic()
    assert echoed(client) == b"hello"
    assert time.monotonic() - started >= 0.4


def test_a_narrow_line_takes_its_time(proxy):
    client = connected(proxy)
    proxy.bytes_per_second = 20
    started = time.monotonic()
    assert echoed(client) == b"hello"
    assert time.monotonic() - started >= 0.5


def test_a_black_hole_answers_nothing_and_resets_when_mended(proxy):
    client = connected(proxy)
    proxy.blackhole()
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        echoed(client)
    proxy.mend()
    client.settimeout(2)
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    connected(proxy).close()


def test_a_forgotten_client_hears_nothing_while_new_ones_pass(proxy):
    client = connected(proxy)
    proxy.forget_clients()
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        echoed(client)
    connected(proxy).close()


def test_a_reset_comes_in_the_middle_of_a_frame(proxy):
    client = connected(proxy)
    proxy.reset_mid_frame()
    client.sendall(b"hello")
    assert len(until_reset(client)) < 5
