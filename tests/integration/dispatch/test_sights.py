"""What the lists read is what the cases are: after every move, by every way, and for cases of before the migration."""

from importlib import import_module
from itertools import product
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, text

import services.dispatch
from services.dispatch.cases.model import ENDED, CaseState
from wangge.chassis import schema
from wangge.contracts.areas import Area

STREET, COMMUNITY, GRID = "140802002", "140802002907", "14080200290700100"
OTHER_GRID, MICRO = "14080200290700200", "14080200290700104"
MIGRATIONS = Path(services.dispatch.__file__).parent / "migrations"

KEYS = "SELECT key, is_open FROM case_sights WHERE case_no = :case_no ORDER BY key"


def keys_of(dispatch, case_no: str) -> dict[str, bool]:
    return {row.key: row.is_open for row in dispatch.rows(KEYS, case_no=case_no)}


def test_keys_of_a_case_follow_its_lead_its_closing_and_its_reopening(dispatch, intake):
    case_no = dispatch.case_of(intake.accept(category="E0110", area=GRID, urgency="none"))["case_no"]
    filed = {COMMUNITY, GRID[:15], "unit:cleaning", "lead:cleaning"}
    assert keys_of(dispatch, case_no) == dict.fromkeys(filed, True)

    dispatch.do(case_no, "close_on_spot", "worker-1", reply="已清理", note="到场即清")
    assert keys_of(dispatch, case_no) == dict.fromkeys(filed, False)

    dispatch.do(case_no, "reopen", "operator-1", reason="又堆起来了")
    assert keys_of(dispatch, case_no) == dict.fromkeys(filed, True)


def test_lists_show_what_a_look_at_every_case_finds(dispatch, intake):
    for area, category in product((GRID, OTHER_GRID, MICRO, COMMUNITY), ("E0596", "E0110", "G0301")):
        dispatch.case_of(intake.accept(area=area, category=category, urgency="none"))
    closed = dispatch.case_of(intake.accept(area=GRID, category="E0110", urgency="none"))["case_no"]
    dispatch.do(closed, "close_on_spot", "worker-1", reply="已清理", note="到场即清")
    everything = pages(dispatch, dispatch.token("admin-1", ["admin"], ("14",), "none"))
    for areas, unit in product(
        ((GRID,), (MICRO,), (STREET,), ("1408",), (GRID, OTHER_GRID), (GRID, COMMUNITY), ()),
        ("power", "police", "nobody"),
    ):
        token = dispatch.token("somebody-1", ["unit_contact"], areas, unit)
        for asked in (
            {},
            {"state": "dispatched"},
            {"state": "closed"},
            {"area": COMMUNITY},
            {"area": GRID},
            {"area": MICRO},
            {"lead": "power"},
        ):
            expected = [
                case["case_no"] for case in everything if seen(case, areas, unit) and asked_for(case, asked)
            ]
            assert [case["case_no"] for case in pages(dispatch, token, **asked)] == expected, (
                areas,
                unit,
                asked,
            )


def pages(dispatch, token: str, **query) -> list[dict]:
    cursor, found = None, []
    while True:
        params = query | {"limit": 9} | ({"cursor": cursor} if cursor else {})
        page = dispatch.get("/v1/cases", params=params, token=token)
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def seen(case: dict, areas: tuple[str, ...], unit: str) -> bool:
    place = Area.parse(case["area"])
    units = {case["lead"], *case["units_allowed"], *(part["unit"] for part in case["assist"])}
    return unit in units or any(Area.parse(area).contains(place) for area in areas)


def asked_for(case: dict, asked: dict[str, str]) -> bool:
    place = Area.parse(asked["area"]) if "area" in asked else None
    is_there = place is None or place.contains(Area.parse(case["area"]))
    return is_there and all(case[name] == asked[name] for name in ("state", "lead") if name in asked)


def test_cases_of_before_are_listed_after_the_migration(database_uri):
    import_module("services.dispatch.service")
    engine = create_engine(database_uri)
    schema.migrate(engine, {"alembic_version": MIGRATIONS})
    with engine.connect() as connection:
        config = schema.config_of(connection, "alembic_version", str(MIGRATIONS))
        command.downgrade(config, "0001")
        connection.commit()
        connection.execute(text(A_CASE))
        connection.commit()
        command.upgrade(config, "head")
        connection.commit()
        rows = connection.execute(text("SELECT key, is_open FROM case_sights ORDER BY key")).all()
    assert [tuple(row) for row in rows] == [
        (key, False) for key in (COMMUNITY, GRID[:15], "lead:power", "unit:estate", "unit:power")
    ]
    engine.dispose()


@pytest.mark.parametrize("state", CaseState)
def test_the_database_knows_which_states_are_open(dispatch, state):
    assert dispatch.rows("SELECT case_is_open(:state)", state=state)[0][0] is (state not in ENDED)


A_CASE = f"""
INSERT INTO cases (case_no, report_code, site, area, channel, urgency, summary, reporter, is_confidential, category, category_name,
  level, "limit", clock_from, closing_condition, on_spot_allowed, needs_check, pool, units_allowed, received_at, filed_at, changed_at,
  state, version, round, hands, helpers, check_passed, is_on_spot, rework_count, reopen_count, closing, lead, units)
VALUES ('1408022023091400001', 'BG20230914-000001', 'dongli', '{GRID}', 'patrol', 'none', '墙体脱落', 'person:p1', false, 'E0596', '高空坠物',
  'L2', '2 urgent_hour', 'report', '隐患消除', false, true, false, '{{}}', now(), now(), now(),
  'closed', 8, 1, '{{}}', '{{}}', true, false, 0, 0, 1, 'power', '{{estate,power}}')
"""  # noqa: S608 (a place of the test's own)
