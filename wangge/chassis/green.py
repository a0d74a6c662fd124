"""Makes a service process green and small; imported before anything else of the process.

Sockets must be green before anything opens one, and what the process never uses must not be loaded by the libraries
that it does use.
"""

import os
import sys

# eventlet's own resolver loads dnspython (20 MB) and has hung on connecting to local servers
os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")

# structlog's console renderer would load rich and pygments (8 MB); services log JSON
sys.modules.setdefault("rich", None)  # type: ignore[arg-type]

import eventlet  # noqa: E402 (reads its environment while it is imported)

eventlet.monkey_patch()
