"""Measures Wangge beside what a user would pick instead; `python -m bench --help`. It uses the kit of the tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
