"""Points' part of a site pack: taken whole, once, or refused with every mistake."""


def fields_of(answer) -> list[str]:
    return sorted(error["field"] for error in answer.json()["errors"])


def test_part_is_taken_once(new_village):
    assert new_village.apply() == {"sites": 1, "members": 6, "rule_sets": 1}
    assert new_village.apply() == {"sites": 0, "members": 0, "rule_sets": 0}
    (rules,) = new_village.points.get("/v1/rule_sets", new_village.secretary)["items"]
    assert (rules["version"], len(rules["items"]), rules["base_cap"], rules["award_cap"]) == (1, 34, 80, 20)
    found = new_village.points.get("/v1/members", new_village.secretary)["items"]
    assert [each["person_id"] for each in found] == sorted(
        new_village.id(name) for name in (*new_village.members, *new_village.exempt)
    )


def test_rule_set_with_another_number_of_items_or_parts_is_refused(new_village):
    rules = new_village.rules()
    answer = new_village.put(new_village.part(rule_set=rules | {"items": rules["items"][1:]}))
    assert (answer.status_code, fields_of(answer)) == (422, ["rule_set.expected_items"])
    no_penalty = [item for item in rules["items"] if item["part"] != "penalty"]
    answer = new_village.put(new_village.part(rule_set=rules | {"items": no_penalty}))
    assert fields_of(answer) == ["rule_set.expected_items", "rule_set.items"]
    assert new_village.points.sql("SELECT 1 FROM sites WHERE site = %s", new_village.site) == []


def test_every_mistake_of_a_part_is_named(new_village):
    part = new_village.part(
        members=[{"person_id": "a", "org": "", "status": "friend", "grid": "14"}], period_kind="week"
    )
    assert fields_of(new_village.put(part)) == [
        "members.0.grid",
        "members.0.org",
        "members.0.status",
        "period_kind",
    ]


def test_published_version_of_the_rules_is_not_changed(village):
    changed = village.rules_with("A3", value=5)
    answer = village.put(village.part(rule_set=changed | {"version": 1}))
    assert (answer.status_code, answer.json()["code"]) == (409, "rule_set.published")
    assert village.apply(rule_set=changed)["rule_sets"] == 1
    assert [each["version"] for each in village.points.get("/v1/rule_sets", village.secretary)["items"]] == [
        1,
        2,
    ]


def test_part_is_refused_from_others_and_for_other_places(village):
    points, part = village.points, village.part()
    clerk = village.put(part, points.token("boss", "points_clerk"))
    assert (clerk.status_code, clerk.json()["code"]) == (403, "role.missing")
    far = village.put(part, points.token("boss", "admin", areas=("140802",)))
    assert (far.status_code, far.json()["code"]) == (403, "area.outside")
    named = points.call("PUT", "/v1/sites/other", points.token("boss", "admin"), part)
    assert (named.status_code, fields_of(named)) == (422, ["site"])
    half = village.put({**part, "name": "别的村"})
    assert (half.status_code, fields_of(half)) == (422, ["revision"])


def test_area_and_members_belong_to_one_site(village, new_village):
    area, site = new_village.area, new_village.site
    new_village.area, new_village.grid = village.area, village.grid
    answer = new_village.put(new_village.part())
    assert (answer.status_code, answer.json()["code"]) == (409, "site.area_taken")
    new_village.area, new_village.grid = area, f"{area}00100"
    new_village.site = village.site
    part = new_village.part()
    new_village.site = site
    answer = new_village.put(new_village.part(members=part["members"]))
    assert (answer.status_code, answer.json()["code"]) == (409, "member.elsewhere")


def test_member_who_is_no_longer_listed_earns_nothing_more_and_keeps_what_was_earned(village):
    village.post("m1", "B6")
    village.members.remove("m1")
    village.apply()
    village.tell(village.closed(village.a_case(), ("m1", "handler")))
    member = village.member("m1")
    assert (member["wallet"], member["evaluation"]["total"]) == (6, 6)
    assert member["left_at"]
    assert village.record("m1", "B6").status_code == 422


def test_description_of_the_api_is_served(points):
    answer = points.call("GET", "/openapi.json", None)
    assert answer.status_code == 200
    assert "/v1/boards/{period}" in answer.json()["paths"]
