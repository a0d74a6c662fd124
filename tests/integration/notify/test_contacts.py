"""What reporters leave to be answered by: opened here only, shown nowhere, erased when they say so."""

from kit.waiting import eventually

from wangge.chassis.seal import seal
from wangge.cli.local.secrets import make_keys


def share(town, ref, content, sequence=1, keys_dir=None):
    sealed = seal(keys_dir or town.notify.keys_dir, "notify", content)
    event = town.notify.publish(
        "contact.shared.v1", {"subject_ref": ref, "area": town.grid, "sealed": sealed}, sequence=sequence
    )
    eventually(lambda: town.notify.has_settled(event))
    return event


def test_reporter_is_answered_by_the_mail_that_was_shared(town, mail):
    town.apply()
    ref, address = f"resident:{town.key}-a", f"{town.key}-a@mail.example"
    share(town, ref, {"mail": address, "phone": "13800001234", "name": "无名"})
    event = town.closed([ref])
    town.one(event, "mail", "delivered")
    town.one(event, "inbox", "delivered")
    assert len(town.told(event)) == 2
    assert len(mail.to(address)) == 1


def test_contact_that_comes_after_the_fact_is_still_written_to_once(town, mail):
    town.apply()
    ref, address = f"resident:{town.key}-a", f"{town.key}-late@mail.example"
    event = town.closed([ref])
    town.one(event, "inbox", "delivered")
    share(town, ref, {"mail": address})
    town.one(event, "mail", "delivered")
    share(town, ref, {"mail": address}, sequence=2)
    other = town.closed([ref])
    town.one(other, "mail", "delivered")
    eventually(lambda: not town.notify.sql("SELECT 1 FROM contacts WHERE catch_up_at IS NOT NULL"))
    assert len(mail.to(address)) == 2


def test_newest_of_the_shared_contacts_counts_whatever_comes_first(town, mail):
    town.apply()
    ref = f"resident:{town.key}-a"
    new, old = f"{town.key}-new@mail.example", f"{town.key}-old@mail.example"
    share(town, ref, {"mail": new}, sequence=2)
    share(town, ref, {"mail": old}, sequence=1)
    town.one(town.closed([ref]), "mail", "delivered")
    assert (len(mail.to(new)), mail.to(old)) == (1, [])


def test_empty_share_erases_what_was_shared(town, notify):
    town.apply()
    ref = f"resident:{town.key}-a"
    share(town, ref, {"mail": f"{town.key}@mail.example"})
    share(town, ref, {}, sequence=2)
    assert notify.sql("SELECT * FROM contact_addresses WHERE ref = %s", ref) == []
    assert [message["channel"] for message in town.told(town.closed([ref]))] == ["inbox"]


def test_contact_sealed_for_somebody_else_is_held_and_harms_no_other(town, notify, tmp_path):
    town.apply()
    make_keys(tmp_path)
    ref = f"resident:{town.key}-a"
    foreign = share(town, ref, {"mail": f"{town.key}@mail.example"}, keys_dir=tmp_path)
    (held,) = notify.sql("SELECT state, cause FROM held_event WHERE event_id = %s", foreign["id"])
    assert held == {"state": "quarantined", "cause": "seal.broken"}
    assert [message["channel"] for message in town.told(town.closed([ref]))] == ["inbox"]


def test_wrong_mail_in_a_sealed_contact_is_held_without_telling_what_it_says(town, notify):
    town.apply()
    event = share(town, f"resident:{town.key}-a", {"mail": "secret-but-no-mail"})
    (held,) = notify.sql("SELECT * FROM held_event WHERE event_id = %s", event["id"])
    assert held["cause"] == "contact.bad_data"
    assert [error["field"] for error in held["errors"]] == ["mail"]
    assert "secret-but-no-mail" not in f"{held} {notify.log.read_text()}"


def test_addresses_are_shown_masked_and_appear_neither_in_messages_nor_on_the_bus_nor_in_the_log(
    town, notify, mail, bus
):
    ref, address = f"resident:{town.key}-a", f"{town.key}-hidden@mail.example"
    hook = "http://127.0.0.1:9/token-of-ours"
    town.apply(contacts=[town.contact(ref, ("webhook", hook), secret="sesame")])
    share(town, ref, {"mail": address, "phone": "13800001234"})
    event = town.closed([ref])
    dead = town.one(event, "webhook", "dead")
    town.one(event, "mail", "delivered")
    assert dead["last_error"] == "the connection failed"
    (told,) = eventually(lambda: bus.about(dead))
    shown = notify.call("GET", f"/v1/contacts/{ref}", notify.token("boss", "admin")).json()
    assert {(each["channel"], each["address"]) for each in shown["addresses"]} == {
        ("mail", "t***@mail.example"),
        ("phone", "138****1234"),
        ("webhook", "http://127.0.0.1:9/…"),
    }
    everything = f"{told} {shown} {town.told(event)} {notify.log.read_text()}"
    for secret in (address, "token-of-ours", "13800001234", "sesame"):
        assert secret not in everything


def test_only_administrators_and_the_privacy_officer_see_contacts(town, notify):
    dispatcher = notify.token("d", "dispatcher")
    assert notify.call("GET", "/v1/contacts/person:x", dispatcher).status_code == 403
