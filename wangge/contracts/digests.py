"""The digest by which a publisher and intake compare which messages each has of a day, without listing them.

The SHA-256, in lower-case hex, of the message ids in UTF-8, sorted by their bytes, joined by one line feed (0x0A)
without one at the end; of no id at all, that of the empty text. In a shell:
`LC_ALL=C sort -u ids | head -c -1 | sha256sum`.
"""

from collections.abc import Iterable
from hashlib import sha256


def digest_of(ids: Iterable[str]) -> str:
    """The digest of message ids, in any order."""
    return sha256(b"\n".join(sorted(one.encode() for one in ids))).hexdigest()
