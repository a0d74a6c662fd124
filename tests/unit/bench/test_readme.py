"""The figures in both READMEs are those of the last measurement."""

import re
from pathlib import Path
from statistics import median

import pytest

from bench import results
from bench.goals import judged

HERE = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def figures():
    measured = {name: results.read(name)["measured"] for name in ("hop", "e2e", "http", "cost", "growth")}
    hop = measured["hop"]["1"]
    goals = judged(measured)
    growth = [goal for goal in goals if goal.key.startswith("growth")]
    return [
        f"{round(hop['ours']['rate']):,}",
        *(f"{median(hop[peer]['ours_is_times']):.1f}" for peer in ("nameko", "faststream", "celery", "loop")),
        f"{measured['e2e']['idle']['ours']['p50']:g}",
        f"{measured['e2e']['sustained']['per_second']:g}",
        f"{measured['http']['ndjson']['1']['reports_per_second']:g}",
        str(len(growth)),
        str(sum(goal.is_met for goal in growth)),
        str(len(goals)),
        str(sum(goal.is_met for goal in goals)),
    ]


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_readme_says_what_was_measured(figures, readme):
    (told,) = (part for part in (HERE / readme).read_text().split("\n\n") if part.startswith("`make bench`"))
    numbers = re.findall(r"\d+(?:[.,]\d+)*", told)
    assert [figure for figure in figures if figure not in numbers] == []
