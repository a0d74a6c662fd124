"""`python -m bench.hop`: the durable hop alone, for instance `--only ours,loop --rounds 1 --messages 3000`."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.hop import series
from bench.hop.implementations import IMPLEMENTATIONS


def main() -> None:
    """Play the rounds and print them."""
    options = argparse.ArgumentParser(prog="python -m bench.hop", description=__doc__)
    options.add_argument("--only", default=",".join(IMPLEMENTATIONS), help="comma-separated names")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument(
        "--messages", type=int, default=12_000, help="of a fast one; a slow one gets its share"
    )
    options.add_argument("--processes", default="1,2", help="comma-separated: 1, 2 or both")
    options.add_argument("--profile", type=Path, help="sample ours with py-spy: .svg or .txt")
    wished = options.parse_args()
    names, processes = wished.only.split(","), [int(each) for each in wished.processes.split(",")]
    series.play(names, processes, wished.rounds, wished.messages, wished.profile)


if __name__ == "__main__":
    main()
