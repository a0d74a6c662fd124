"""Notify's door: what an administrator applies, what overseers see, what everybody reads of their own."""

from wangge.contracts.sites import with_revision

COUNTY = "140802"
REPORTED = [{"event": "case.closed", "template": "reply", "to": ["reporters"]}]


def ids(answer):
    assert answer.ok, answer.text
    return [item["message_id"] for item in answer.json()["items"]]


def test_same_part_again_changes_nothing_and_a_changed_one_says_how_much(town):
    first = town.apply(contacts=[town.contact("person:a", ("mail", "a@mail.example"))])
    assert first["changed"] == {"names": 1, "settings": 1, "templates": 6, "routes": 6, "contacts": 1}
    again = town.apply(contacts=[town.contact("person:a", ("mail", "a@mail.example"))])
    assert sum(again["changed"].values()) == 0
    changed = town.apply(names={"E0596": "墙面脱落", "E0110": "积存垃圾"})
    assert changed["changed"] == {"names": 2, "settings": 0, "templates": 0, "routes": 0, "contacts": 1}


def test_part_with_a_broken_template_is_refused_whole_and_names_it(town, notify):
    town.apply()
    templates = [{"code": "reply", "title": "{{ title", "text": "{{ reply | shout }}"}]
    answer = town.put(town.part(templates=templates, routes=REPORTED))
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"templates.0.title", "templates.0.text"}
    shown = notify.call("GET", f"/v1/sites/{town.key}-site", notify.token("boss", "admin")).json()
    assert shown["revision"] == town.part()["revision"]


def test_template_that_uses_what_its_fact_does_not_offer_or_who_reported_is_refused(town):
    for wrong in ("{{ phone }}", "{{ reporters }}"):
        templates = [{"code": "reply", "title": "已办结", "text": wrong}]
        answer = town.put(town.part(templates=templates, routes=REPORTED))
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["routes.0.template"]


def test_contact_with_two_addresses_of_one_channel_is_refused(town):
    two = town.contact("person:a", ("mail", "a@mail.example"), ("mail", "b@mail.example"))
    answer = town.put(town.part(contacts=[two]))
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["contacts.0.channels"]


def test_part_under_another_address_or_of_another_area_or_without_the_role_is_refused(town, notify):
    part = town.part()
    admin = notify.token("boss", "admin")
    assert notify.call("PUT", "/v1/sites/elsewhere", admin, part).status_code == 422
    outside = notify.token("boss", "admin", areas=("140105",))
    assert notify.call("PUT", f"/v1/sites/{part['site']}", outside, part).status_code == 403
    worker = notify.token("w", "grid_worker")
    assert notify.call("PUT", f"/v1/sites/{part['site']}", worker, part).status_code == 403
    half = {**part, "routes": []}
    assert notify.call("PUT", f"/v1/sites/{part['site']}", admin, half).status_code == 422


def test_second_site_for_one_community_is_refused(town):
    town.apply()
    other = with_revision({**town.part(), "site": f"{town.key}-other"})
    answer = town.put(other)
    assert (answer.status_code, answer.json()["code"]) == (409, "site.area_taken")


def test_messages_are_found_by_case_number_report_code_and_correlation(town, notify):
    town.apply()
    event = town.closed([f"resident:{town.key}-a"])
    (message,) = town.told(event)
    for correlation in (event["data"]["case_no"], event["data"]["report_code"], event["id"]):
        assert [each["message_id"] for each in notify.messages(correlation=correlation)] == [
            message["message_id"]
        ]
    assert notify.messages(correlation="nothing-like-it") == []
    assert message["case_no"] == event["data"]["case_no"]


def test_everybody_sees_their_own_messages_and_overseers_those_of_their_areas(town, another_town, notify):
    for each in (town, another_town):
        each.apply()
    own = f"person:{town.id('worker')}"
    mine, theirs = town.closed([own]), another_town.closed([f"resident:{another_town.key}-a"])
    (mine,), (theirs,) = town.told(mine), another_town.told(theirs)
    worker = notify.token(town.id("worker"), "grid_worker", areas=(COUNTY,))
    assert ids(notify.call("GET", "/v1/messages", worker)) == [mine["message_id"]]
    secretary = notify.token("s", "community_secretary", areas=(another_town.area,))
    assert ids(notify.call("GET", "/v1/messages", secretary)) == [theirs["message_id"]]
    grid_only = notify.token("g", "dispatcher", areas=(town.grid,))
    assert ids(notify.call("GET", "/v1/messages", grid_only)) == [mine["message_id"]]
    assert notify.call("GET", f"/v1/messages/{mine['message_id']}", worker).ok
    assert notify.call("GET", f"/v1/messages/{theirs['message_id']}", worker).status_code == 404
    assert notify.call("GET", f"/v1/messages/{mine['message_id']}", secretary).status_code == 404


def test_list_is_cut_into_pages_newest_first_without_gaps(town, notify):
    town.apply()
    ref = f"person:{town.id('worker')}"
    written = [town.told(town.closed([ref]))[0]["message_id"] for _ in range(5)]
    worker = notify.token(town.id("worker"), "grid_worker")
    seen, cursor = [], None
    for _ in range(3):
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        answer = notify.call("GET", "/v1/messages", worker, **query)
        seen.extend(ids(answer))
        cursor = answer.json()["next_cursor"]
    assert (seen, cursor) == (written[::-1], None)


def test_wrong_filters_are_all_named(notify):
    answer = notify.call(
        "GET",
        "/v1/messages",
        notify.token("boss", "admin"),
        recipient="someone",
        state="lost",
        limit=0,
        colour="red",
    )
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"recipient", "state", "limit", "colour"}


def test_inbox_shows_unread_first_and_reading_twice_is_reading(town, notify):
    town.apply()
    ref = f"person:{town.id('worker')}"
    first, second, third = (town.told(town.closed([ref]))[0]["message_id"] for _ in range(3))
    worker = notify.token(town.id("worker"), "grid_worker")
    assert ids(notify.call("GET", "/v1/inbox", worker)) == [third, second, first]
    read = notify.call("POST", f"/v1/inbox/{third}/read", worker)
    assert (read.status_code, read.json()["state"]) == (200, "read")
    notify.clock(set="2023-09-14T11:00:00+08:00")
    assert notify.call("POST", f"/v1/inbox/{third}/read", worker).json()["read_at"] == read.json()["read_at"]
    inbox = notify.call("GET", "/v1/inbox", worker)
    assert (ids(inbox), inbox.json()["unread"]) == ([second, first, third], 2)
    pages, cursor = [], None
    for _ in range(3):
        answer = notify.call("GET", "/v1/inbox", worker, limit=1, **({"cursor": cursor} if cursor else {}))
        pages.extend(ids(answer))
        cursor = answer.json()["next_cursor"]
    assert (pages, cursor) == ([second, first, third], None)


def test_nobody_reads_somebody_elses_inbox_message(town, notify):
    town.apply()
    (message,) = town.told(town.closed([f"person:{town.id('worker')}"]))
    other = notify.token("somebody-else", "admin")
    answer = notify.call("POST", f"/v1/inbox/{message['message_id']}/read", other)
    assert (answer.status_code, answer.json()["code"]) == (404, "message.not_found")


def test_without_a_token_nothing_is_shown(notify):
    assert notify.call("GET", "/v1/inbox", "no-token").status_code == 401
