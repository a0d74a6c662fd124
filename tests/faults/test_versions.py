"""Fault 20: producers and consumers of different versions, and a queue declared with other arguments."""

import pytest
from kit.probing import a_thing, told

from wangge.chassis import broker
from wangge.chassis.ids import new_id

#: Events of each kind.
EACH = 30
#: Seconds within which a process that cannot start must have said why and ended.
REFUSAL_SECONDS = 40


@pytest.mark.fault(20)
def test_a_newer_producer_of_the_same_major_version_is_understood(world):
    """Events of v1 carry fields and envelope attributes that this consumer does not know yet."""
    world.started()
    newer = [
        told(new_id(), a_thing(f"k{number % 5}", number, colour="red", nested={"deep": [1]}))
        | {"futureattribute": "yes", "sequence": number + 1}
        for number in range(EACH)
    ]
    older = [told(new_id(), a_thing(f"k{number % 5}", EACH + number)) for number in range(EACH)]
    world.ledger.good(*newer, *older, in_order=True)
    world.publish(*newer, *older)
    world.nothing_lost_nothing_doubled()


@pytest.mark.fault(20)
def test_an_event_of_a_version_that_nobody_here_speaks_is_parked_and_kept(world):
    """A v2 event reaches a v1 consumer: parked as `unknown_type` under its own id, so it can be replayed later."""
    world.started()
    world.tell(*[a_thing(f"k{number % 5}", number) for number in range(EACH)])
    bodies = [b'{"of": "v2", "number": %d}' % number for number in range(3)]
    world.tell_poison(*[_v2(body) for body in bodies])
    world.tell(*[a_thing(f"k{number % 5}", EACH + number) for number in range(EACH)])
    world.nothing_lost_nothing_doubled()
    held = world.sql("SELECT cause, detail, body FROM held_event ORDER BY id")
    assert {row["cause"] for row in held} == {"unknown_type"}
    assert "thing.told.v2" in held[0]["detail"]
    assert all('"of"' in row["body"] for row in held)


def _v2(data):
    head = (
        b'{"specversion": "1.0", "id": "%s", "source": "/wangge/world", "type": "thing.told.v2", '
        % new_id().encode()
    )
    return head + b'"time": "2025-01-01T00:00:00Z", "partitionkey": "k1", "data": ' + data + b"}"


@pytest.mark.fault(20)
@pytest.mark.timeout(120)
def test_a_queue_with_other_arguments_is_refused_with_what_to_do(world):
    """The cell's first queue exists as a classic queue: the process says so and what helps, and ends."""
    connection = broker.connect((world.amqp_uri,))
    connection.channel().queue_declare("probe.home.0", durable=True, auto_delete=False)
    process = world.process()
    process.launch()
    code = process.ended(REFUSAL_SECONDS)
    log = process.log.read_text()
    assert code == 1
    assert "probe.home.0" in log
    assert "WANGGE_CELL" in log
    connection.channel().queue_delete("probe.home.0")
    connection.close()
    process.start()
    world.tell(*[a_thing(f"k{number % 5}", number) for number in range(EACH)])
    world.nothing_lost_nothing_doubled()
