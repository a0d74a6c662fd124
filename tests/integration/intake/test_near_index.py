"""Redis only proposes: empty, stale or away, near reports are found all the same."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime


def post_by(process, town, **data):
    token = process.token(town.worker, "grid_worker", areas=(town.yard,))
    incident = town.incident(**{"channel": "grid_visit", **data})
    answer = process.call("POST", "/v1/reports", token, incident)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_after_flushall_the_index_is_rebuilt_by_itself(town):
    first = town.reported(location=town.at())
    town.world.redis.flushdb()
    assert town.reported(location=town.at(metres=5))["of"] == first["code"]
    assert town.world.redis.get("intake:near:epoch")


def test_a_report_added_after_flushall_does_not_hide_the_older_ones(town):
    first = town.reported(location=town.at())
    town.world.redis.flushdb()
    town.reported(location=town.at(place=1))
    assert town.reported(location=town.at(metres=5))["of"] == first["code"]


def test_what_the_index_names_and_nobody_knows_is_passed_over_and_forgotten(town):
    point = town.at()
    key = f"intake:near:{town.area}:C0137"
    town.reported(location=town.at(place=1))
    town.world.redis.geoadd(key, [point["lng"], point["lat"], "BG20000101-000001"])
    assert town.reported(location=point)["status"] == "accepted"
    assert "BG20000101-000001" not in town.world.redis.zrange(key, 0, -1)


def test_while_redis_is_away_the_database_is_asked(town, without_redis):
    first = post_by(without_redis, town, location=town.at())
    assert post_by(without_redis, town, location=town.at(metres=49))["of"] == first["code"]
    assert post_by(without_redis, town, location=town.at(metres=51))["status"] == "accepted"


def test_what_one_process_could_not_index_the_others_find(town, without_redis):
    town.reported(location=town.at(place=1))
    first = post_by(without_redis, town, location=town.at())
    assert town.reported(location=town.at(metres=5))["of"] == first["code"]


def test_of_many_near_reports_at_the_same_time_one_is_accepted(town, without_redis):
    at = datetime.now(UTC).isoformat()

    def post(n):
        process = (town.intake, without_redis)[n % 2]
        return post_by(process, town, location=town.at(metres=n), occurred_at=at)

    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(post, range(16)))
    (master,) = [report["code"] for report in reports if report["status"] == "accepted"]
    assert {report.get("of") for report in reports} == {None, master}


def test_of_many_reports_with_one_external_number_at_the_same_time_one_is_made(town):
    def post(n):
        return town.post(headers=town.keyed(town.login), external_no="same", text=f"路灯{n}").json()["code"]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(post, range(16)))) == 1
