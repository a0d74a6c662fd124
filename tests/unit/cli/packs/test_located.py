"""Pack files mean what they say, and every value is found on its line."""

from pathlib import Path

import pytest

from wangge.cli.packs.located import Place, read_csv, read_yaml


def yaml_of(tmp_path: Path, text: str):
    path = tmp_path / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path, "some.yaml")


def test_codes_times_and_dates_stay_text(tmp_path: Path) -> None:
    text = "code: 140802002902\ngrid: 14080200290200100\nat: 14:00\non: 2023-09-14\nphone: 0359\nrest: {off: [yes, no]}\n"
    assert yaml_of(tmp_path, text).value == {
        "code": "140802002902",
        "grid": "14080200290200100",
        "at": "14:00",
        "on": "2023-09-14",
        "phone": "0359",
        "rest": {"off": ["yes", "no"]},
    }


def test_numbers_and_booleans_are_what_they_are(tmp_path: Path) -> None:
    text = "households: 386\nlng: 110.99\nlow: -1.5\nis_open: true\nnothing: null\nempty:\n"
    assert yaml_of(tmp_path, text).value == {
        "households": 386,
        "lng": 110.99,
        "low": -1.5,
        "is_open": True,
        "nothing": None,
        "empty": None,
    }


def test_each_value_is_found_on_its_line(tmp_path: Path) -> None:
    found = yaml_of(tmp_path, "units:\n  - name: a\n  - name: b\n    kind: x\nlist: [1,\n  2]\n")
    assert found.place(("units", 1, "kind")) == Place("some.yaml", 4)
    assert found.place(("list", 1)) == Place("some.yaml", 6)


def test_what_is_missing_is_named_where_it_should_stand(tmp_path: Path) -> None:
    found = yaml_of(tmp_path, "units:\n  - name: a\n  - name: b\n")
    assert found.place(("units", 1, "kind")) == Place("some.yaml", 3)
    assert found.place(("grids",)) == Place("some.yaml", 1)


def test_a_key_written_twice_is_a_mistake(tmp_path: Path) -> None:
    found = yaml_of(tmp_path, "a: 1\nb: 2\na: 3\n")
    assert [str(mistake) for mistake in found.mistakes] == ["some.yaml:3: a is written twice"]


@pytest.mark.parametrize(
    ("text", "line"), [("a: [1, 2\nb: 3\n", 2), ("a: 1\n\tb: 2\n", 2), ("- a\n- b\n", 1)]
)
def test_a_file_that_is_no_mapping_is_named_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    found = yaml_of(tmp_path, text)
    assert [mistake.place.line for mistake in found.mistakes] == [line]
    assert found.value == {}


def test_a_missing_file_is_a_mistake(tmp_path: Path) -> None:
    found = read_yaml(tmp_path / "none.yaml", "none.yaml")
    assert [str(mistake) for mistake in found.mistakes] == ["none.yaml:1: the file is missing"]


def test_rows_keep_their_lines_and_leave_out_empty_cells(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("id,name,unit\na,甲,\n\nb,,x\n", encoding="utf-8")
    found = read_csv(path, "people.csv", ("id", "name", "unit"))
    assert found.value == [{"id": "a", "name": "甲"}, {"id": "b", "unit": "x"}]
    assert found.place((1, "unit")) == Place("people.csv", 4)


def test_wrong_columns_and_torn_rows_are_named(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("id,nmae\na,甲,zu viel\n", encoding="utf-8")
    found = read_csv(path, "people.csv", ("id", "name"))
    assert [str(mistake) for mistake in found.mistakes] == [
        "people.csv:1: the column name is missing",
        "people.csv:1: the column nmae is unknown",
        "people.csv:2: 3 cells where the header has 2",
    ]
