"""The four-colour board: the worked members of the village, and what Redis may do without harm."""

import pytest

#: Domain scenario A6: the entries of each member under the village's 34 items, their total and band.
ALL_BASE = [f"B{n}" for n in range(1, 19)]
WORKED = {
    "m1": ([*ALL_BASE, "A1", "A3", "A3", "A8"], 92, "red"),
    "m2": ([*(code for code in ALL_BASE if code != "B11"), "A5"], 78, "orange"),
    "m3": ([*(code for code in ALL_BASE if code not in {"B1", "B17"}), "P1", "P5"], 64, "yellow"),
    "m4": ([*(code for code in ALL_BASE if code not in {"B1", "B4", "B6"}), "P4"], 52, "blue"),
    "m5": ([*ALL_BASE, "A1", "A1", "A7", "A7", "A6", "A5"], 100, "red"),
}
WORKED_BOARD = [(1, "m5", 100), (2, "m1", 92), (3, "m2", 78), (4, "m3", 64), (5, "m4", 52)]


@pytest.fixture
def short_village(village):
    """Three members with an entry each: 6, 6 and 5 points."""
    for name, item in (("m1", "B6"), ("m2", "B6"), ("m3", "B7")):
        village.post(name, item)
    return village


SHORT_BOARD = [(1, "m1", 6), (1, "m2", 6), (3, "m3", 5), (4, "m4", 0), (4, "m5", 0)]


def test_worked_members_reach_their_scores_bands_and_ranks(village):
    for name, (items, total, band) in WORKED.items():
        for item in items:
            village.post(name, item)
        evaluation = village.member(name)["evaluation"]
        assert (evaluation["total"], evaluation["band"]) == (total, band)
    assert village.member("m1")["wallet"] == 92
    assert village.member("m5")["evaluation"] == {
        "base": 80,
        "award": 20,
        "penalty": 0,
        "total": 100,
        "band": "red",
    }
    assert village.standings() == WORKED_BOARD
    assert village.board()["bands"] == {"red": 2, "orange": 1, "yellow": 1, "blue": 1}


def test_equal_totals_share_a_rank_and_the_exempt_are_not_ranked(short_village):
    short_village.post("old", "B6")
    assert short_village.standings() == SHORT_BOARD
    assert short_village.board()["bands"] == {"red": 0, "orange": 0, "yellow": 0, "blue": 5}


def test_board_is_cut_into_pages_that_hold_everybody_once(short_village):
    seen, cursor = [], {}
    while cursor is not None:
        found = short_village.board(limit=2, **cursor)
        seen += [each["person_id"] for each in found["items"]]
        cursor = {"cursor": found["next_cursor"]} if found["next_cursor"] else None
    assert seen == [short_village.id(name) for _, name, _ in SHORT_BOARD]


def test_flushed_redis_loses_nothing(short_village):
    assert short_village.standings() == SHORT_BOARD
    short_village.points.flush_redis()
    assert short_village.standings() == SHORT_BOARD
    short_village.post("m4", "A1")
    short_village.points.flush_redis()
    short_village.post("m5", "A1")
    assert short_village.standings()[2:] == [(3, "m3", 5), (3, "m4", 5), (3, "m5", 5)]


def test_sorted_set_with_scores_of_another_version_is_not_shown(short_village):
    """As after a crash between the commit and the update of Redis."""
    assert short_village.standings() == SHORT_BOARD
    short_village.points.sql(
        "UPDATE sites SET boards_version = boards_version + 1 WHERE site = %s", short_village.site
    )
    short_village.points.sql("UPDATE board_rows SET total = 61 WHERE person_id = %s", short_village.id("m3"))
    assert short_village.standings()[0] == (1, "m3", 61)


def test_entry_of_another_period_leaves_the_sorted_set_in_use(short_village):
    assert short_village.standings() == SHORT_BOARD
    short_village.points.sql(
        "INSERT INTO board_versions VALUES (%s, '2025Q2', 7) ON CONFLICT (site, period) DO UPDATE SET version = 7",
        short_village.site,
    )
    short_village.points.sql("UPDATE board_rows SET total = 61 WHERE person_id = %s", short_village.id("m3"))
    assert short_village.standings() == SHORT_BOARD


def test_pages_from_the_sorted_set_are_those_of_the_database(short_village):
    def pages() -> list[dict]:
        found, cursor = [], {}
        while cursor is not None:
            page = short_village.board(limit=1, **cursor)
            found.append({name: page[name] for name in ("items", "bands")})
            cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None
        return found

    short_village.points.flush_redis()
    from_database = [short_village.board(limit=1)]
    assert from_database[0]["items"] == pages()[0]["items"]
    assert [page["items"][0]["rank"] for page in pages()] == [1, 1, 3, 4, 4]
    assert {tuple(page["bands"].items()) for page in pages()} == {tuple(from_database[0]["bands"].items())}


def test_cursor_of_somebody_who_has_left_goes_on_behind_their_place(short_village):
    first = short_village.board(limit=2)
    short_village.members = ["m1", "m3", "m4", "m5"]
    short_village.apply()
    behind = short_village.board(limit=2, cursor=first["next_cursor"])
    assert [each["rank"] for each in behind["items"]] == [2, 3]


def test_board_is_read_from_the_sorted_set_while_its_version_is_the_sites(short_village):
    """Shows that Redis is really asked: the record is changed behind its back."""
    assert short_village.standings() == SHORT_BOARD
    short_village.points.sql("UPDATE board_rows SET total = 61 WHERE person_id = %s", short_village.id("m3"))
    assert short_village.standings() == SHORT_BOARD
    short_village.post("m4", "B6")
    assert short_village.standings()[:3] == [(1, "m1", 6), (1, "m2", 6), (1, "m4", 6)]


def test_boards_and_posting_go_on_without_redis(short_village, points):
    points.start("lonely", WANGGE_REDIS_URI="redis://127.0.0.1:1/0")
    try:
        entry = short_village.record("m4", "B6").json()
        path = f"/v1/entries/{entry['entry_id']}/review"
        answer = points.call("POST", path, short_village.reviewer, {"decision": "post"}, instance="lonely")
        assert answer.status_code == 200, answer.text
        answer = points.call("GET", "/v1/boards/2025Q3", short_village.secretary, instance="lonely")
        assert [each["rank"] for each in answer.json()["items"]] == [1, 1, 1, 4, 5]
    finally:
        points.stop("lonely")
    assert short_village.standings()[2] == (1, "m4", 6)


def test_board_of_another_period_is_empty_of_points(short_village):
    assert {total for _, _, total in short_village.standings(period="2025Q2")} == {0}


def test_changed_list_of_members_changes_the_board(short_village):
    assert len(short_village.standings()) == 5
    short_village.members = ["m1", "m2", "new"]
    short_village.exempt = ["old", "m3"]
    assert short_village.apply() == {"sites": 1, "members": 4, "rule_sets": 0}
    assert short_village.standings() == [(1, "m1", 6), (1, "m2", 6), (3, "new", 0)]


def test_board_of_a_grid_ranks_its_members_among_themselves(short_village):
    whole = short_village.board(area=short_village.grid)
    assert len(whole["items"]) == 5
    other_grid = f"{short_village.area}00200"
    assert short_village.board(area=other_grid)["items"] == []


def test_board_is_for_those_in_whose_scope_it_lies_and_for_its_members(short_village, new_village):
    new_village.apply()
    points = short_village.points
    own = points.token(short_village.id("m1"), areas=())
    assert len(points.get("/v1/boards/2025Q3", own)["items"]) == 5
    worker = points.token("worker", "grid_worker", areas=(short_village.grid,))
    for query in ({}, {"area": short_village.area}):
        assert len(points.get("/v1/boards/2025Q3", worker, **query)["items"]) == 5
    far = points.token("far", "points_clerk", areas=("140802",))
    answer = points.call("GET", "/v1/boards/2025Q3", far, area=short_village.area)
    assert (answer.status_code, answer.json()["code"]) == (403, "area.outside")
    assert points.call("GET", "/v1/boards/2025Q3", far).status_code == 404
    assert points.call("GET", "/v1/boards/2025Q3", far, area="14").status_code == 403
    several = points.call("GET", "/v1/boards/2025Q3", points.token("x"))
    assert (several.status_code, several.json()["errors"][0]["field"]) == (422, "area")


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("/v1/boards/2025Q5", "period"),
        ("/v1/boards/2025Q3?limit=0", "limit"),
        ("/v1/boards/2025Q3?area=14x", "area"),
        ("/v1/boards/2025Q3?cursor=x", "cursor"),
        ("/v1/boards/2025Q3?colour=red", "colour"),
    ],
)
def test_wrong_question_is_answered_with_the_field(village, path, wrong):
    answer = village.points.call("GET", path, village.secretary)
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, [wrong])
