"""北格镇 tells its people itself, with a program of its own in the place of notify; the other streets keep ours."""

import amqp
import pytest
from kit.foreign import running, wangge, webhook
from kit.reading import Reader
from kit.waiting import eventually

from wangge.cli.api import Api
from wangge.cli.cells_seen import find
from wangge.cli.errors import CommandFailed
from wangge.conformance.samples import Samples

STREET = "14.01.05.100"
CELL = ("notify", "beige")


@pytest.fixture
def opened(system, liangjiazhuang):
    """The street's cell with a login of its own, as the runbook says."""
    opened = wangge(
        system, "cell", "open", *CELL, "--areas", STREET, "--lanes", "2", "--login", "beige-notify"
    )
    assert opened.exit_code == 0, opened.output + str(opened.exception)
    return opened


def an_incident(town, login, number, text):
    event = town.incident(
        login, text=text, channel="hotline_12345", category="E0508", external_no=f"foreign-{number}"
    )
    town.publish(login, event)
    receipt = town.receipt(login, event["id"])
    assert receipt["outcome"] == "accepted"
    return town.case_of(receipt["report_code"], "dispatched")


@pytest.mark.timeout(900)
def test_a_stock_nameko_program_is_notify_for_one_street_while_ours_serves_the_others(
    system, hexixijie, liangjiazhuang, opened, tmp_path
):
    # Given the street's program on the street's queues, with the street's own webhook
    with (
        webhook() as page,
        running(system, "stock_nameko_notify.py", "beige", "beige-notify", page, tmp_path),
    ):
        eventually(lambda: cell(system)["consumers"] == 2, 60)

        # When something happens there, and something elsewhere
        theirs = an_incident(liangjiazhuang, "lj-hotline", 1, "村口电线垂落")
        ours = an_incident(hexixijie, "hotline12345", 1, "和顺里小区东门电线垂到一人高")

        # Then the street's people hear it on the street's page, and nobody hears it from ours
        told = eventually(lambda: [each for each in page.got if theirs["case_no"] in each["text"]], 60)
        assert [each["to"] for each in told] == [f"unit:{theirs['lead']}"]
        eventually(lambda: [each for each in page.got if theirs["report_code"] in each["text"]], 60)
        assert liangjiazhuang.messages(correlation=theirs["case_no"]) == []

        # And the others hear as ever, and not on the street's page
        eventually(lambda: hexixijie.messages(correlation=ours["case_no"]), 60)
        assert not [each for each in page.got if ours["case_no"] in each["text"]]

        # When the street gives its areas back; what its program keeps itself is its own affair, and that is said
        refused = wangge(system, "cell", "close", *CELL)
        assert isinstance(refused.exception, CommandFailed)
        assert "--held-at" in str(refused.exception)
        assert "Nothing was changed" in str(refused.exception)
        closed = wangge(system, "cell", "close", *CELL, "--unasked")
        assert closed.exit_code == 0, closed.output + str(closed.exception)
        assert "stop them" in closed.output

    # Then ours tells the street's people again, and the cell's queues go
    eventually(lambda: cell(system)["consumers"] == 0, 60)
    assert "are removed" in wangge(system, "cell", "close", *CELL).output
    again = an_incident(liangjiazhuang, "lj-hotline", 2, "村西电线垂落")
    eventually(lambda: liangjiazhuang.messages(correlation=again["case_no"]), 60)
    assert "has no cell beige" in str(wangge(system, "cell", "close", *CELL).exception)


def cell(system):
    found = find(Api.of_operator(system.directory), *CELL)
    return {"consumers": found.consumers, "holds": found.holds}


@pytest.mark.timeout(600)
def test_an_operators_mistakes_with_cells_are_refused_with_what_to_do(system, liangjiazhuang):
    def refusal(*words):
        refused = wangge(system, "cell", *words)
        assert isinstance(refused.exception, CommandFailed), refused.output
        return str(refused.exception)

    assert "points has no cell chengbei; there are: home" in refusal("close", "points", "chengbei")
    assert "There is no service tea" in refusal("close", "tea", "chengbei")
    assert "关闭" in refusal("close", "points", "home")
    wrong = refusal("open", "points", "chengbei", "--areas", "14.1.05,14010x")
    assert "14.1.05" in wrong
    assert "14010x" in wrong

    # a cell that holds work while nothing serves it
    assert wangge(system, "cell", "open", "points", "beige", "--areas", STREET).exit_code == 0
    assert "served by the cell beige" in refusal("open", "points", "cun", "--areas", "140105100901")
    with_case = a_closing(liangjiazhuang, system)
    held = refusal("close", "points", "beige", "--unasked")
    assert "holds 1 messages in 1 queues that nothing consumes" in held
    assert "--give-back" in held
    assert "start a process of it" in held

    # is moved home and settled there
    back = wangge(system, "cell", "close", "points", "beige", "--unasked", "--give-back")
    assert back.exit_code == 0, back.output + str(back.exception)
    assert "1 messages of beige were moved home" in back.output
    assert "are removed" in back.output
    eventually(lambda: with_case in processed(system))


def a_closing(town, system):
    """A case that was closed, as dispatch would tell points; answers the event's id."""
    event = Samples(town.area, "20261125").event("case.closed.v1")
    connection = amqp.Connection(
        f"127.0.0.1:{system.ports.of('rabbitmq')}",
        userid="dispatch",
        password=system.rabbitmq.secrets.password("broker-dispatch"),
        confirm_publish=True,
    )
    connection.connect()
    message = amqp.Message(
        event.to_json(), delivery_mode=2, user_id="dispatch", message_id=event.id,
        application_headers={"partitionkey": event.partitionkey},
    )  # fmt: skip
    connection.channel().basic_publish(message, "dispatch.events", f"case.closed.{STREET}.901")
    connection.close()
    return event.id


def processed(system):
    return {row["event_id"] for row in Reader.of(system).rows("points", "SELECT event_id FROM inbox")}
