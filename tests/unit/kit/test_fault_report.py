"""The report tells each test's fault, what was checked and how it ended, once when it ran and never unasked."""

import json
import sys

pytest_plugins = ["pytester"]

SUITE = '''
import pytest

@pytest.mark.fault(16)
def test_a_late_commit_is_published():
    """A transaction commits last.

    More words.
    """
    from kit.quiescence import checked
    checked[:] = ["7 messages sent"]

@pytest.mark.fault(2)
def test_a_relay_killed_loses_nothing():
    """The relay is killed."""
    raise AssertionError

@pytest.fixture
def broken():
    raise RuntimeError

def test_outside_of_the_table(broken):
    """Nobody numbered this."""
'''

PLUGIN = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from kit.fault_report import FaultReport

def pytest_configure(config):
    config.addinivalue_line("markers", "fault(number)")
    config.pluginmanager.register(FaultReport(Path("faults.md")))
"""


def test_the_page_has_a_row_for_every_test_by_the_number_of_its_fault(pytester):
    pytester.makeconftest(PLUGIN.format(path=sys.path))
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess("-p", "no:pytest_nameko")
    page = (pytester.path / "faults.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ") and "no." not in line]
    assert [(row[0].strip("| "), row[1], row[2], row[3].strip(), row[4]) for row in rows] == [
        ("0", "Nobody numbered this", "outside of the table", "", "failed"),
        ("2", "The relay is killed", "a relay killed loses nothing", "", "failed"),
        ("16", "A transaction commits last", "a late commit is published", "7 messages sent", "passed"),
    ]
    assert "1 of 3 tests passed" in page
    assert "- every committed fact is published" in page


def test_programs_find_the_same_beside_it(pytester):
    pytester.makeconftest(PLUGIN.format(path=sys.path))
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess("-p", "no:pytest_nameko")
    document = json.loads((pytester.path / "faults.json").read_text(encoding="utf-8"))
    assert [test["numbers"] for test in document["tests"]] == [[], [2], [16]]
    assert len(document["invariants"]) > 10
