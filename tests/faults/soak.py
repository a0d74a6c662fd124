"""A random soak on a system of its own: `python tests/faults/soak.py --seed 7 --minutes 30` replays it."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from kit.ledger import Ledger
from kit.proxied import ProxiedSystem
from kit.soak import Soak, command, schedule
from kit.town import Town
from kit.trial import Trial

from wangge.cli.local import SERVICES, debian


def main() -> None:
    """Run it; ends with 1 and the command that replays it when something was lost or doubled."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    asked.add_argument("--minutes", type=float, default=3.0)
    asked.add_argument("--schedule", action="store_true", help="only print what would be done")
    given = asked.parse_args()
    acts = schedule(given.seed, given.minutes)
    print(f"seed {given.seed}, {given.minutes:g} minutes, {len(acts)} acts", flush=True)
    if given.schedule:
        print("\n".join(map(str, acts)))
        return
    debian.install_missing()
    directory = Path(tempfile.mkdtemp(prefix="wangge-soak-"))
    directory.chmod(0o711)  # PostgreSQL's own user must pass through
    system = ProxiedSystem(directory, services=tuple(SERVICES), movable_clock=True)
    try:
        system.start()
        Soak(system, Trial(Town(system, "hexixijie"), Ledger()), lambda line: print(line, flush=True)).run(
            acts
        )
    except BaseException:
        print(f"\nreplay it: {command(given.seed, given.minutes)}", flush=True)
        raise
    finally:
        system.erase()


if __name__ == "__main__":
    main()
