"""A program that claims to be notify and breaks the contract twice: it tells an event again that came again, and signs
its facts with another name. For the test of the conformance kit.

Settings: AMQP_URI, QUEUES.
"""

import json
import os
import uuid
from urllib.parse import urlsplit

import amqp

URI = urlsplit(os.environ["AMQP_URI"])
WIDTHS = (2, 2, 2, 3, 3, 3, 2)

connection = amqp.Connection(f"{URI.hostname}:{URI.port}", userid=URI.username, password=URI.password)
connection.connect()
channel = connection.channel()


def words(code):
    cut = []
    for width in WIDTHS:
        word, code = code[:width], code[width:]
        cut += [word] if word else []
    return ".".join(cut)


def on_message(message):
    try:
        event = json.loads(message.body)
        if event["type"] == "report.accepted.v1" and "reporter" in event["data"]:
            tell(event)
    except (ValueError, KeyError):
        pass
    message.channel.basic_ack(message.delivery_info["delivery_tag"])


def tell(event):
    message_id = uuid.uuid4().hex
    fact = {
        "specversion": "1.0",
        "id": uuid.uuid4().hex,
        "source": "/somebody/else",
        "type": "message.delivered.v1",
        "subject": message_id,
        "time": event["time"],
        "area": event["data"]["area"],
        "partitionkey": message_id,
        "sequence": 1,
        "correlationid": event["correlationid"],
        "causationid": event["id"],
        "data": {
            "message_id": message_id,
            "event_id": event["id"],
            "recipient": event["data"]["reporter"]["ref"],
            "channel": "webhook",
            "template": "broken",
            "attempt": 1,
            "area": event["data"]["area"],
            "at": event["time"],
        },
    }
    sent = amqp.Message(
        json.dumps(fact),
        content_type="application/cloudevents+json",
        delivery_mode=2,
        message_id=fact["id"],
        user_id=URI.username,
        application_headers={"partitionkey": message_id},
    )
    channel.basic_publish(sent, "notify.events", f"message.delivered.{words(fact['area'])}")


channel.basic_qos(0, 1, False)
for queue in os.environ["QUEUES"].split(","):
    channel.basic_consume(queue, callback=on_message)
while True:
    connection.drain_events()
