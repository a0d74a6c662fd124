"""A program of a street office: tells people its own way in the place of `notify`, with nameko as it comes.

It shares no code with Wangge and knows of it what docs/asyncapi.yaml says. It takes the street's events from the queues
of its cell, posts a line of text to the office's own webhook, and publishes what the contract asks of a `notify`:
`message.delivered.v1` or `message.failed.v1`, once for each message.

Settings: AMQP_URI, QUEUES (comma-separated), WEBHOOK, MEMORY (a file of its own).
"""

import json
import logging
import os
import sqlite3
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime
from urllib.parse import urlsplit

import eventlet

eventlet.monkey_patch()

from kombu import Exchange, Queue  # noqa: E402 (after the patch, as nameko asks)
from kombu.serialization import register  # noqa: E402
from nameko import config  # noqa: E402
from nameko.messaging import Publisher, consume  # noqa: E402
from nameko.runners import ServiceRunner  # noqa: E402

log = logging.getLogger("street.notify")

URI = os.environ["AMQP_URI"]
LOGIN = urlsplit(URI).username
FACTS = Exchange("notify.events", type="topic", durable=True, no_declare=True)
CLOUDEVENTS = "application/cloudevents+json"

register("cloudevents", json.dumps, json.loads, content_type=CLOUDEVENTS, content_encoding="utf-8")
config.setup({"AMQP_URI": URI, "serializer": "json"})

#: What is said of each fact, and which field of its data names who is told.
TEXTS = {
    "report.accepted.v1": ("reporter", "您反映的情况已受理，受理号 {report_code}"),
    "case.dispatched.v1": ("lead", "新派单 {case_no}：{summary}"),
    "case.overdue.v1": ("lead", "案件 {case_no} 已超时"),
    "case.closed.v1": ("reporters", "您反映的情况已办结：{reply}"),
}
#: How often the webhook is tried.
TRIES = 3
#: Width of each word of an area code in a routing key.
WIDTHS = (2, 2, 2, 3, 3, 3, 2)


def recipients(event):
    """References of those who are told of this fact."""
    field, _ = TEXTS[event["type"]]
    named = event["data"][field]
    if field == "lead":
        return [f"unit:{named}"]
    if field == "reporter":
        return [named["ref"]] if named.get("wants_reply", True) else []
    return list(named)


def area_words(code):
    words = []
    for width in WIDTHS:
        word, code = code[:width], code[width:]
        if word:
            words.append(word)
    return ".".join(words)


class Memory:
    """Which messages were told already; the same event may come again."""

    def __init__(self, path):
        self.path = path
        with self.open() as memory:
            memory.execute("CREATE TABLE IF NOT EXISTS told (message_id TEXT PRIMARY KEY)")

    def open(self):
        return sqlite3.connect(self.path, timeout=10)

    def knows(self, message_id):
        with self.open() as memory:
            return memory.execute("SELECT 1 FROM told WHERE message_id = ?", [message_id]).fetchone()

    def add(self, message_id):
        with self.open() as memory:
            memory.execute("INSERT OR IGNORE INTO told VALUES (?)", [message_id])


MEMORY = Memory(os.environ["MEMORY"])


def lanes(method):
    """The method takes the messages of every queue of the cell, one at a time from each, so that a case keeps its order.

    What raises goes back to its queue; the queue's delivery limit ends that.
    """
    for name in os.environ["QUEUES"].split(","):
        queue = Queue(name, no_declare=True)
        method = consume(queue, requeue_on_error=True, prefetch_count=1, accept=["json", "cloudevents"])(
            method
        )
    return method


class StreetNotify:
    name = "street_notify"

    tell = Publisher(exchange=FACTS, serializer="cloudevents", mandatory=False, user_id=LOGIN)

    @lanes
    def on_event(self, event):
        if not isinstance(event, dict) or event.get("type") not in TEXTS:
            return
        try:
            text = TEXTS[event["type"]][1].format(**event["data"])
            to = recipients(event)
        except (KeyError, TypeError, AttributeError) as wrong:
            log.warning("not as the contract says: %r", wrong)
            return
        for recipient in to:
            self.bring(event, recipient, text)

    def bring(self, event, recipient, text):
        message_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event['source']} {event['id']} {recipient}"))
        if MEMORY.knows(message_id):
            return
        attempts, reason = self.post({"message_id": message_id, "to": recipient, "text": text})
        data = {
            "message_id": message_id,
            "event_id": event["id"],
            "recipient": recipient,
            "channel": "webhook",
            "template": f"street.{event['type'].rpartition('.')[0]}",
            "attempt": attempts,
            "area": event["data"]["area"],
            "at": datetime.now(UTC).isoformat(),
        }
        self.publish_fact(event, "message.failed" if reason else "message.delivered", data, reason)
        MEMORY.add(message_id)

    def post(self, message):
        """How many tries it took, and why it failed if it did."""
        request = urllib.request.Request(  # noqa: S310 (the office's own webhook)
            os.environ["WEBHOOK"],
            json.dumps(message).encode(),
            {"Content-Type": "application/json"},
            method="POST",
        )
        reason = ""
        for attempt in range(1, TRIES + 1):
            try:
                with urllib.request.urlopen(request, timeout=5):  # noqa: S310 (as above)
                    return attempt, ""
            except (OSError, urllib.error.HTTPError) as failure:
                reason = str(failure)
                eventlet.sleep(0.2 * attempt)
        return TRIES, reason

    def publish_fact(self, cause, name, data, reason):
        fact = {
            "specversion": "1.0",
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name} {data['message_id']}")),
            "source": "/wangge/notify",
            "type": f"{name}.v1",
            "subject": data["message_id"],
            "time": data["at"],
            "datacontenttype": "application/json",
            "area": data["area"],
            "partitionkey": data["message_id"],
            "sequence": 1,
            "correlationid": cause.get("correlationid") or cause["id"],
            "causationid": cause["id"],
            "data": {**data, "reason": reason} if reason else data,
        }
        self.tell(
            fact,
            routing_key=f"{name}.{area_words(data['area'])}",
            message_id=fact["id"],
            type=fact["type"],
            headers={"partitionkey": fact["partitionkey"]},
        )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    runner = ServiceRunner()
    runner.add_service(StreetNotify)
    runner.start()
    log.info("serving %s", os.environ["QUEUES"])
    try:
        runner.wait()
    except KeyboardInterrupt:
        runner.stop()
