#!/opt/wangge/bin/python
"""Asks the service of this container whether it is `live` or `ready`; exit status 1 when it is not."""

import os
import sys
from http.client import HTTPConnection

#: Seconds within which a process that turns answers; readiness itself waits 2 s at most for each dependency.
ANSWER_SECONDS = 4.5

connection = HTTPConnection("127.0.0.1", int(os.environ["WANGGE_HEALTH_PORT"]), timeout=ANSWER_SECONDS)
try:
    connection.request("GET", f"/health/{sys.argv[1]}")
    answer = connection.getresponse()
    sys.stdout.write(answer.read().decode())
except OSError as away:
    sys.exit(f"no answer: {away}")
sys.exit(answer.status != 200)
