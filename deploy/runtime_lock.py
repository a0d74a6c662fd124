"""Prints those pins of requirements.lock, hashes and all, that requirements.in asks for: what an image needs.

The lock also holds what the tests need. It notes for each pin who asked for it (`# via`); a pin is for run time when
requirements.in asked for it, or another pin that is for run time.
"""

import re
import sys
from pathlib import Path

RUN_TIME = "-r requirements.in"


def pins_of(lock: str) -> dict[str, str]:
    """Each pinned package's name, and its lines."""
    blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
    return {re.split(r"[=\[]", block, maxsplit=1)[0]: block for block in blocks}


def askers_of(block: str) -> set[str]:
    """Who asked for a pin: the words after `# via`, on its line or on those below."""
    comments = re.findall(r"^ +# +(?:via *)?(.*)$", block, flags=re.MULTILINE)
    return {comment.strip() for comment in comments if comment.strip()}


def for_run_time(lock: str) -> list[str]:
    """The names of the pins that are needed at run time, sorted."""
    askers = {name: askers_of(block) for name, block in pins_of(lock).items()}
    needed: set[str] = set()
    grown = {RUN_TIME}
    while grown:
        grown = {name for name, asked in askers.items() if asked & (needed | grown)} - needed
        needed |= grown
    return sorted(needed)


if __name__ == "__main__":
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    pins = pins_of(text)
    print("".join(pins[name] for name in for_run_time(text)), end="")
