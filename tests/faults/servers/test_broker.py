"""The broker stops, is killed, runs out of memory or disk, fills up or shuts a login out: nothing is lost or doubled."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import amqp
import pytest
import requests
from kit import nemesis
from kit.waiting import eventually

from wangge.chassis import broker
from wangge.chassis.topology import DELIVERY_LIMIT

pytestmark = pytest.mark.timeout(900)  # seconds; a busy machine restarts servers slowly

REPORTS = 10


def ready(proxied, service):
    """What a service says of itself: whether it is ready, and its checks."""
    health = proxied.addresses.service(service).health_url
    document = requests.get(f"{health}/health/ready", timeout=10).json()
    return document["ready"], document["checks"]


@pytest.mark.fault(5)
def test_reports_answered_while_the_broker_is_stopped_all_become_cases_with_notices(trial, proxied):
    """The broker is stopped while ten reports come in over HTTP; the nearest peer lost ten of ten here."""
    with nemesis.server_down(proxied, "rabbitmq", "stop"):
        with ThreadPoolExecutor(5) as pool:
            answers = list(pool.map(lambda _: trial.post().status_code, range(REPORTS)))
        assert answers == [201] * REPORTS
        assert trial.pending("intake") >= REPORTS
    trial.verify()
    assert trial.held() == []


@pytest.mark.fault(5)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(nemesis.broker_app_stopped, marks=pytest.mark.long),
        lambda system: nemesis.server_down(system, "rabbitmq", "kill"),
        pytest.param(lambda system: nemesis.server_down(system, "rabbitmq", "stop"), marks=pytest.mark.long),
    ],
    ids=["stop_app", "kill -9", "restart"],
)
def test_a_broker_that_goes_away_under_load_and_returns_loses_and_doubles_nothing(trial, proxied, fault):
    """rabbitmqctl stop_app, kill -9 or restart of the only node under load."""
    with trial.traffic():
        eventually(lambda: len(trial.sent) > 20)
        with fault(proxied):
            before = len(trial.sent)
            eventually(lambda: len(trial.sent) > before + 10)
        before = len(trial.sent)
        eventually(lambda: len(trial.sent) > before + 10, 60)
    trial.verify()
    assert trial.held() == []


@pytest.fixture
def intake_with_a_low_watermark(proxied):
    proxied.stop_service("intake")
    proxied.start_service("intake", {"WANGGE_OUTBOX_MOST": "15"})
    yield
    proxied.stop_service("intake")
    proxied.start_service("intake")


@pytest.mark.fault(8)
@pytest.mark.usefixtures("intake_with_a_low_watermark")
@pytest.mark.parametrize(
    "alarm",
    [nemesis.memory_alarm, pytest.param(nemesis.disk_alarm, marks=pytest.mark.long)],
    ids=["memory", "disk"],
)
def test_an_alarm_of_the_broker_lets_reports_in_up_to_the_watermark_and_all_drains_after(
    trial, proxied, alarm
):
    """A memory or disk alarm: the broker takes no messages, the outbox grows to its watermark."""
    with alarm(proxied):
        assert [trial.post().status_code for _ in range(REPORTS)] == [201] * REPORTS
        eventually(lambda: trial.pending("intake") >= REPORTS)
        refused = eventually(lambda: the_refusal(trial), 60)
        assert refused["code"] == "backpressure"
        is_ready, checks = ready(proxied, "intake")
        assert is_ready
        assert checks["outbox"].startswith("backpressure")
        assert trial.pending("intake") > 15
    eventually(lambda: trial.post().status_code == 201, 60, step=0.5)
    trial.verify()
    assert trial.held() == []


def the_refusal(trial):
    answer = trial.post()
    if answer.status_code == 201:
        return None
    assert (answer.status_code, int(answer.headers["Retry-After"]) > 0) == (503, True)
    return answer.json()


@pytest.fixture
def notify_is_down(trial, proxied):
    proxied.stop_service("notify")
    yield
    proxied.start_service("notify")


@pytest.mark.fault(9)
@pytest.mark.usefixtures("notify_is_down")
def test_a_queue_that_is_full_refuses_and_nothing_is_dropped_even_where_it_stays_small(trial, proxied):
    """Queues at their max-length of five, with their consumer down and then slow to catch up."""
    with nemesis.queue_policy(proxied, r"^notify\.home\.", **{"max-length": 5}):
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda _: trial.post().status_code, range(60))) == [201] * 60
        eventually(lambda: ready(proxied, "dispatch")[1]["publishing"].startswith("nack"), 60)
        assert trial.pending("dispatch") > 5
        proxied.start_service("notify")
        trial.verify()
    assert trial.held() == []


@pytest.mark.fault(9)
@pytest.mark.usefixtures("notify_is_down")
def test_a_message_given_up_while_its_dead_letter_exchange_is_missing_is_kept_until_it_is_there(
    trial, proxied
):
    """The target of dead letters is missing when a message reaches the delivery limit."""
    poison = f"kills whoever reads it {uuid.uuid4()}".encode()
    trial.ledger.poison(poison)
    proxied.rabbitmq.call("DELETE", "/exchanges/%2F/notify.dead")
    give_up(proxied, "notify.home.0", poison)
    proxied.start_service("notify")
    eventually(lambda: [held["cause"] for held in trial.held()] == ["delivery_limit"], 60)
    trial.publish(5)
    trial.verify()


def give_up(proxied, queue, body):
    """Let a message be delivered, and not settled, more often than its queue allows."""
    connection = broker.connect((proxied.rabbitmq.url(),), confirm_publish=True)
    channel = connection.channel()
    channel.basic_publish(amqp.Message(body, delivery_mode=2), "", queue)
    channel.basic_qos(0, 1, False)
    rejected = []

    def reject(message):
        channel.basic_reject(message.delivery_tag, requeue=True)
        rejected.append(message)

    channel.basic_consume(queue, callback=reject)
    with suppress(TimeoutError):
        while True:
            connection.drain_events(timeout=3)
    connection.close()
    assert len(rejected) == DELIVERY_LIMIT + 1


@pytest.mark.fault(21)
@pytest.mark.parametrize("login", ["dispatch", pytest.param("intake", marks=pytest.mark.long)])
def test_a_changed_password_is_told_by_health_and_work_goes_on_once_it_is_set_right(trial, proxied, login):
    """A service's password is changed on the broker and its connections are closed."""
    password = proxied.rabbitmq.secrets.password(f"broker-{login}")
    with trial.traffic():
        try:
            proxied.rabbitmq.put_user(login, "something-else")
            nemesis.close_connections(proxied, login)
            eventually(lambda: "ACCESS_REFUSED" in ready(proxied, login)[1]["broker"], 60)
            assert not ready(proxied, login)[0]
        finally:
            proxied.rabbitmq.put_user(login, password)
        eventually(lambda: ready(proxied, login)[0], 60)
    trial.verify()
    assert trial.held() == []


@pytest.mark.fault(21)
def test_a_revoked_right_to_publish_is_told_by_health_and_facts_go_once_it_is_given_back(trial, proxied):
    """A service's right to write is taken away in the middle of its stream."""
    with trial.traffic():
        try:
            nothing = {"configure": "^$", "write": "^$", "read": ".*"}
            proxied.rabbitmq.call("PUT", "/permissions/%2F/dispatch", nothing)
            nemesis.close_connections(proxied, "dispatch")
            eventually(lambda: "ACCESS_REFUSED" in ready(proxied, "dispatch")[1]["publishing"], 60)
            assert trial.pending("dispatch") > 0
        finally:
            proxied.rabbitmq.provision("dispatch")
    trial.verify()
    assert trial.held() == []
