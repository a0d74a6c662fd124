"""A program of somebody else: publishes one message with nameko as it comes, and knows nothing of us.

Usage: stock_nameko_publisher.py AMQP_URI LOGIN ROUTING_KEY < event.json
"""

import json
import sys

import eventlet

eventlet.monkey_patch()

from kombu import Exchange  # noqa: E402 (after the patch, as nameko asks)
from nameko.amqp.publish import Publisher  # noqa: E402

uri, login, routing_key = sys.argv[1:]
incidents = Exchange("incidents", type="topic", durable=True, no_declare=True)
Publisher(uri, serializer="json").publish(
    json.load(sys.stdin), exchange=incidents, routing_key=routing_key, user_id=login
)
