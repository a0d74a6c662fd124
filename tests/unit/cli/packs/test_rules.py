"""`wangge site check` names every mistake of a pack, those between its files too, each with file and line."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from wangge.cli.packs import check, read
from wangge.contracts.sites import PARTS

SITES = Path(__file__).parents[4] / "sites"
BANDS_RULES = {"base": 18, "award": 8, "penalty": 8}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A copy of a good pack, to be spoilt."""
    return Path(shutil.copytree(SITES / "hexixijie", tmp_path / "hexixijie"))


def spoil(pack: Path, name: str, old: str, new: str) -> int:
    """Replace the first `old` in a file; the number of its line."""
    text = (pack / name).read_text(encoding="utf-8")
    assert old in text
    (pack / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def mistakes_of(pack: Path) -> list[str]:
    mistakes, _ = check(read(pack))
    return [str(mistake).removeprefix(f"{pack}/") for mistake in mistakes]


@pytest.mark.parametrize("name", ["hexixijie", "liangjiazhuang"])
def test_the_packs_of_this_repository_have_no_mistakes_and_no_vacancies(name: str) -> None:
    assert check(read(SITES / name)) == ([], [])


@pytest.mark.parametrize("name", ["hexixijie", "liangjiazhuang"])
@pytest.mark.parametrize("part", list(PARTS))
def test_every_part_of_them_can_be_loaded_by_its_service(name: str, part: str) -> None:
    assert PARTS[part]().load(read(SITES / name).part(part))["site"] == name


def test_liangjiazhuang_has_the_headcount_of_the_inventory() -> None:
    people = read(SITES / "liangjiazhuang").part("intake")["people"]
    held = Counter(role["role"] for person in people for role in person["roles"])
    structure = {
        "grid_leader": 6,
        "party_group_leader": 6,
        "grid_worker": 6,
        "task_force_member": 22,
        "grid_party_member": 40,
        "volunteer": 31,
    }
    assert {role: held[role] for role in structure} == structure
    assert sum(structure.values()) == 111


def test_liangjiazhuang_scores_by_three_parts_and_34_items_worth_80_at_the_base() -> None:
    part = read(SITES / "liangjiazhuang").part("points")
    items = part["rule_set"]["items"]
    assert Counter(item["part"] for item in items) == BANDS_RULES
    assert (
        sum(item["value"] for item in items if item["part"] == "base") == part["rule_set"]["base_cap"] == 80
    )
    assert len(part["members"]) == 40
    assert {item["code"]: item["value"] for item in items if item.get("auto")} == {"A3": 2, "A4": 2}


def test_the_wall_of_hexixijie_is_the_power_companys_with_the_courtyard_assisting() -> None:
    categories = {row["code"]: row for row in read(SITES / "hexixijie").part("dispatch")["categories"]}
    wall = categories["E0596"]
    assert (wall["lead"], wall["assist"]) == ("hx-gongdian", ["hx-wuguanhui"])
    assert (wall["limit"], wall["clock_from"], wall["level"]) == ("2 urgent_hour", "report", "L2")


@pytest.mark.parametrize(
    ("code", "limit"),
    [
        ("E0183", "15 work_day"),
        ("E0104", "3 work_day"),
        ("E0184", "1 work_day"),
        ("E0508", "2 work_hour"),
        ("E0504", "1 urgent_hour"),
        ("E0496", "2 work_hour"),
        ("E0108b", "4 work_hour"),
        ("E0301", "2 urgent_hour"),
        ("C0137", "2 work_day"),
        ("E0110", "4 work_hour"),
        ("G0101", "15 work_day"),
        ("G0202", "3 work_day"),
        ("G0301", "3 work_day"),
    ],
)
def test_limits_are_those_of_the_catalogue(code: str, limit: str) -> None:
    categories = {row["code"]: row for row in read(SITES / "hexixijie").part("dispatch")["categories"]}
    assert categories[code]["limit"] == limit


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("area.yaml", "kind: utility, area: 140802,", "kind: utilty, area: 140802,", "units.2.kind: Must be one of"),
        ("area.yaml", "parent: hx-jiedao", "parent: hx-jiedaoo", "there is no unit hx-jiedaoo"),
        ("area.yaml", "14080200290200300", "14080200290300300", "does not belong to the community"),
        ("people.csv", "grid_worker@14080200290200300", "grid_worker@14080200290200900", "there is no grid 14080200290200900"),
        ("people.csv", "unit_contact/hx-tiaowei", "unit_contakt/hx-tiaowei", "role: Must be one of"),
        ("people.csv", "hx-staff-2,", "hx-staff-1,", "hx-staff-1 is listed twice"),
        ("intake.yaml", "auto_accept:", "auto_acept:", "auto_acept: Unknown field."),
        ("dispatch.yaml", "code: C0199,", "code: C0198,", "there is no category in intake.yaml C0198"),
        ("dispatch.yaml", "limit: 3 work_day", "limit: 3 days", "not a limit"),
        ("dispatch.yaml", "lead: hx-huanwei", "lead: hx-huanbao", "there is no unit hx-huanbao"),
        ("dispatch.yaml", "14080200290200200: hx-wuye", "14080200290200800: hx-wuye", "there is no grid 14080200290200800"),
        ("points.yaml", "expected_items: 16", "expected_items: 34", "16 items are listed, 34 are expected"),
        ("points.yaml", "categories: [G0101]", "categories: [G0109]", "there is no category G0109"),
        ("notify.yaml", "contacts: []", 'contacts: [{ref: "person:nobody", channels: [{channel: inbox}]}]', "there is no contact person:nobody"),
        ("notify.yaml", "{event: report.accepted, template: reporter.accepted", "{event: report.accepted, template: unit.overdue", "report.accepted offers no {{ deadline }}"),
        ("story.yaml", "publisher: rider-app", "publisher: rider-ap", "there is no publisher rider-ap"),
        ("story.yaml", "who: hx-checker-1", "who: hx-checker-9", "there is no person hx-checker-9"),
        ("story.yaml", "channel: rider", "chanel: rider", "chanel: Unknown field."),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_file_and_line(
    pack: Path, file: str, old: str, new: str, message: str
) -> None:
    line = spoil(pack, file, old, new)
    found = mistakes_of(pack)
    assert any(each.startswith(f"{file}:{line}: ") and message in each for each in found), found


def test_several_mistakes_are_all_named_at_once(pack: Path) -> None:
    spoil(pack, "dispatch.yaml", "limit: 3 work_day", "limit: 3 days")
    spoil(pack, "points.yaml", "part: penalty", "part: punishment")
    spoil(pack, "intake.yaml", "default_category: G0201", "default_category: G0999")
    assert {each.split(":")[0] for each in mistakes_of(pack)} == {
        "dispatch.yaml",
        "points.yaml",
        "intake.yaml",
    }


def test_what_lies_between_sound_files_is_named_beside_the_mistakes_of_others(pack: Path) -> None:
    spoil(pack, "points.yaml", "part: penalty", "part: punishment")
    spoil(pack, "dispatch.yaml", "lead: hx-huanwei", "lead: hx-huanbao")
    assert {each.split(":")[0] for each in mistakes_of(pack)} == {"dispatch.yaml", "points.yaml"}


def test_grids_do_not_overlap(pack: Path) -> None:
    line = spoil(pack, "area.yaml", "[110.9899, 35.0341], [110.9928,", "[110.9880, 35.0341], [110.9928,")
    assert mistakes_of(pack) == [f"area.yaml:{line}: 14080200290200200 overlaps 14080200290200100"]


def test_a_boundary_does_not_cross_itself(pack: Path) -> None:
    line = spoil(
        pack,
        "area.yaml",
        "[110.9930, 35.0282], [110.9957, 35.0281], [110.9955, 35.0264]",
        "[110.9930, 35.0282], [110.9955, 35.0264], [110.9957, 35.0281]",
    )
    assert mistakes_of(pack)[0].startswith(
        f"area.yaml:{line}: 河西学校专属网格: not a simple ring: Self-intersection"
    )


def test_a_vacant_post_is_a_warning_and_no_mistake(pack: Path) -> None:
    line = spoil(pack, "area.yaml", "{grid_worker: 1}", "{grid_worker: 2}")
    mistakes, warnings = check(read(pack))
    assert mistakes == []
    assert [str(each).removeprefix(f"{pack}/") for each in warnings] == [
        f"area.yaml:{line}: 河西学校专属网格: 1 of 2 grid_worker (网格员) vacant"
    ]


def test_a_missing_file_is_named(pack: Path) -> None:
    (pack / "points.yaml").unlink()
    assert "points.yaml:1: the file is missing" in mistakes_of(pack)


def test_everybody_has_an_inbox_and_names_are_there_for_the_texts() -> None:
    part = read(SITES / "hexixijie").part("notify")
    refs = {contact["ref"] for contact in part["contacts"]}
    assert {"person:hx-worker-1", "publisher:hotline12345"} <= refs
    assert part["names"]["hx-gongdian"] == "供电公司"
    assert part["names"]["E0596"] == "高空坠物"
    assert part["names"]["140802002902"] == "河西西街社区"


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("area.yaml", "units"),
        ("intake.yaml", "default_category"),
        ("dispatch.yaml", "community_unit"),
        ("points.yaml", "rule_set"),
        ("notify.yaml", "routes"),
    ],
)
def test_what_a_file_leaves_out_is_missing_in_that_file(pack: Path, name: str, field: str) -> None:
    spoil(pack, name, f"\n{field}:", f"\nnot_{field}:")
    missing = [
        each for each in mistakes_of(pack) if each.endswith(f" {field}: Missing data for required field.")
    ]
    assert [each.partition(":")[0] for each in missing] == [name]


def test_a_wrong_field_that_is_called_value_is_named(pack: Path) -> None:
    line = spoil(pack, "points.yaml", "value: 20,", "value: -20,")
    assert any(each.startswith(f"points.yaml:{line}: rule_set.items.0.value: ") for each in mistakes_of(pack))
