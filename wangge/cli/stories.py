"""Plays a site pack's story on a running system: outside systems report, and the people of the pack do their work.

Incidents of outside systems are published by Debian's `amqp-publish`, a plain AMQP client that knows nothing of Wangge
(by our own client where the broker must vouch for the sender); people report and act over HTTP, each with a token of
their own.
"""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from wangge.cli import packs, publishers
from wangge.cli.api import Api, Refused
from wangge.cli.cast import Cast
from wangge.cli.errors import CommandFailed
from wangge.cli.local import Addresses, debian
from wangge.cli.local.waiting import wait_until
from wangge.cli.moves import COMMANDS, ENDED, STATES, Act, Moves, Told
from wangge.cli.packs.story import StorySchema
from wangge.cli.publish import Message, as_message, envelope, send
from wangge.cli.publishers import Publisher
from wangge.contracts.envelope import CONTENT_TYPE

CHINA = ZoneInfo("Asia/Shanghai")

#: Seconds for amqp-publish, which only connects and writes.
PUBLISH_SECONDS = 30
#: Seconds within which a state that the story expects must come about.
EXPECT_SECONDS = 30.0
#: Seconds between two looks at notices and points: they follow the cases, and each look asks for all of them.
EFFECTS_SECONDS = 2.0
#: Characters of an incident's text in a line of the log.
SHORT = 24


class Play:
    """One site's story on a running system. `said` collects what happened, in order."""

    def __init__(self, directory: Path, pack: packs.Pack) -> None:
        self.pack = pack
        self.addresses = Addresses.read(directory)
        self.story = StorySchema().load(pack.story.value)
        self.cast = Cast(pack, self.addresses)
        self.told: dict[str, Told] = {}
        self.said: list[str] = []
        self.notices: list[dict[str, Any]] = []
        self.members: dict[str, dict[str, Any]] = {}
        self._effects_at = 0.0
        self._directory = directory
        self._operator = Api.of_operator(directory)
        self.moves = Moves(pack, self.cast)
        self._run = secrets.token_hex(3)  # a second showing is no repetition of the first

    def tell(self, name: str, at: datetime | None = None) -> Told:
        """Report an incident of the story: as an outside system on the bus, or as a person over HTTP."""
        script = self.story["incidents"][name]
        data = dict(script["data"])
        if "external_no" in data:
            data["external_no"] = f"{data['external_no']}-{self._run}"
        data["occurred_at"] = (at or datetime.now(UTC)).isoformat()
        told = Told(name, data, script.get("handling") or {}, script.get("publisher"))
        self.told[name] = told
        if told.publisher:
            self._publish(told)
        else:
            self._report(told, script["person"])
        return told

    def _publish(self, told: Told) -> None:
        login = str(told.publisher)
        publisher = Publisher.read(self._directory, login)
        event = envelope(told.data, publisher)
        message = as_message(event, publisher)
        told.message_id = message.id
        if self.cast.must_be_vouched_for(
            login
        ):  # amqp-publish cannot set the user_id that the broker vouches for
            send(publishers.broker_url(self.addresses, self._directory, login), login, [message])
        else:
            amqp_publish(self.addresses, self._directory, login, message)
        self._say(f"{login} 发布：{_short(told.data)}")

    def _report(self, told: Told, person: str) -> None:
        report = self.cast.api(person).call("intake", "POST", "/v1/reports", told.data)
        told.report_code = report["code"]
        self._say(f"{self.cast.name(person)} 上报：{_short(told.data)}")

    def look(self) -> None:
        """See what became of everything told: receipts first, then reports, then cases, now and then their effects."""
        for told in self.told.values():
            if told.outcome == "sent" and told.publisher:
                self._look_for_receipt(told)
            elif told.outcome == "sent":
                self._look_at_report(told)
            if told.outcome == "accepted" and not told.is_over:
                self._look_at_case(told)
        if time.monotonic() - self._effects_at > EFFECTS_SECONDS:
            self.look_at_effects()

    def look_for_others(self) -> None:
        """Take up the open cases of this community that somebody else reported."""
        known = {told.case_no for told in self.told.values()}
        for case in self._operator.all("dispatch", "/v1/cases", area=self.pack.area):
            if case["state"] not in ENDED and case["case_no"] not in known:
                told = Told(
                    case["case_no"],
                    {},
                    {},
                    report_code=case.get("report_code"),
                    outcome="accepted",
                    case=case,
                )
                self.told[told.name] = told

    def _look_for_receipt(self, told: Told) -> None:
        try:
            receipt = self._operator.call("intake", "GET", f"/v1/receipts/{told.publisher}/{told.message_id}")
        except Refused as refused:
            if refused.status == 404:  # not there yet
                return
            raise
        told.outcome = receipt["outcome"]
        told.report_code = receipt.get("report_code")
        told.of = receipt.get("of")
        suffix = f"，并入 {told.of}" if told.of else ""
        self._say(f"回执：{told.name} {told.outcome} {told.report_code or ''}{suffix}")

    def _look_at_report(self, told: Told) -> None:
        report = self._operator.call("intake", "GET", f"/v1/reports/{told.report_code}")
        status = report["status"]
        if status in ("merged", "rejected"):
            told.outcome = status
            told.of = report.get("of") or report.get("merged_into")
        elif status not in ("submitted", "verifying"):
            told.outcome = "accepted"

    def _look_at_case(self, told: Told) -> None:
        before = told.case.get("state")
        if told.case_no:
            told.case = self._operator.call("dispatch", "GET", f"/v1/cases/{told.case_no}")
        else:
            found = self._operator.call("dispatch", "GET", "/v1/cases", report_code=told.report_code)["items"]
            told.case = found[0] if found else {}
        state = told.case.get("state")
        if state and state != before:
            self._say(
                f"案件 {told.case_no} {self.moves.category(told.case['category'])}：{STATES.get(state, state)}"
            )

    def act_once(self) -> None:
        """Let one person do what is theirs to do next."""
        for told in sorted(self.told.values(), key=lambda each: each.acts):
            act = self.moves.next(told)
            if act:
                self.act(told, act)
                return

    def act(self, told: Told, act: Act) -> None:
        """Let the person act; a refusal is noted."""
        told.acts += 1
        try:
            path = f"/v1/cases/{told.case_no}/{act.command}"
            told.case = self.cast.api(act.who).call("dispatch", "POST", path, dict(act.body))
        except Refused as refused:
            told.refusals += 1
            self._say(f"{self.cast.name(act.who)} {act.command} 被拒绝：{refused}")
            return
        done = COMMANDS.get(act.command, act.command)
        self._say(
            f"{self.cast.name(act.who)} {done}：{told.case_no}（{self.moves.category(told.case.get('category'))}）"
        )

    def step(self, step: Mapping[str, Any]) -> None:
        """Play one step of the story; the clock stands already at its instant.

        Raises:
            CommandFailed: what the step expects did not come about, or an act was refused.
        """
        if "report" in step:
            self.tell(step["report"], step["at"])
            # the clock stands still: let the report become what it becomes at this very instant
            self._wait(step["report"], lambda one: one.is_over or one.case_no is not None, "is taken up")
        elif "does" in step:
            told = self._wait(step["case"], lambda one: one.case_no is not None, "has a case")
            path = f"/v1/cases/{told.case_no}/{step['does']}"
            told.case = self.cast.api(step["who"]).call("dispatch", "POST", path, step["with_"])
            done = COMMANDS.get(step["does"], step["does"])
            self._say(f"{self.cast.name(step['who'])} {done}：{told.case_no}")
        else:
            self._expect(step)

    def _expect(self, step: Mapping[str, Any]) -> None:
        name = step["expects"]
        if "receipt" in step:
            self._wait(name, lambda one: one.outcome == step["receipt"], f"has the receipt {step['receipt']}")
        for key, value in step.get("is_", {}).items():
            self._wait(name, lambda one, k=key, v=value: _same(one.case.get(k), v), f"has {key} {value}")  # type: ignore[misc]
        if "replies" in step:
            self._wait(
                name, lambda one: len(self.replies(one)) == step["replies"], f"has {step['replies']} replies"
            )
        self._say(f"符合预期：{name}")

    def _wait(self, name: str, reached: Callable[[Told], bool], what: str) -> Told:
        """The incident, once it has come so far."""
        told = self.told[name]
        if not wait_until(lambda: self._looked_at(told, reached), EXPECT_SECONDS):
            seen = f"report {told.report_code} {told.outcome} {told.of or ''}, case {told.case_no} {told.case.get('state')}"
            raise CommandFailed(f"{name}: expected that it {what} within {EXPECT_SECONDS:g} s; seen: {seen}")
        return told

    def _looked_at(self, told: Told, reached: Callable[[Told], bool]) -> bool:
        self.look()
        return reached(told)

    def look_at_effects(self) -> None:
        """See which notices were made of what was told, and how the members stand who had a part in it."""
        self.notices = [message for told in self.told.values() for message in self.messages(told)]
        scored = {member["person_id"] for member in self.pack.parts["points"].value["members"]}
        parts = {person for told in self.told.values() for person in self._people_of(told)} & scored
        self.members = {person: self._score_of(person) for person in sorted(parts)}
        self._effects_at = time.monotonic()

    def _score_of(self, person: str) -> dict[str, Any]:
        score: dict[str, Any] = self._operator.call("points", "GET", f"/v1/members/{person}")
        return score

    def messages(self, told: Told) -> list[dict[str, Any]]:
        """The notices that tell of this incident's case."""
        if not told.report_code:
            return []
        return self._operator.all("notify", "/v1/messages", correlation=told.report_code)

    def replies(self, told: Told) -> list[dict[str, Any]]:
        """The notices by which the reporters learned that it is done."""
        return [message for message in self.messages(told) if message["template"] == "reporter.closed"]

    def is_answered(self) -> bool:
        """Whether everybody whose case was closed has got their reply."""
        closed = [told for told in self.told.values() if told.case.get("state") == "closed"]
        return all(any(each["state"] == "delivered" for each in self.replies(told)) for told in closed)

    def _people_of(self, told: Told) -> Iterator[str]:
        if told.case.get("state") == "closed":
            yield from told.handling.get("helpers", ())
            yield str(self.story["incidents"].get(told.name, {}).get("person", ""))
            yield str(told.case.get("handler", ""))

    def _say(self, text: str) -> None:
        self.said.append(f"{datetime.now(CHINA):%H:%M:%S} {text}")


def amqp_publish(addresses: Addresses, directory: Path, login: str, message: Message) -> None:
    """Publish a message with Debian's `amqp-publish`, as the publisher.

    Raises:
        CommandFailed: amqp-publish is not installed, or the broker refused it.
    """
    command = [
        str(debian.path_of("amqp-publish")),
        f"--url={publishers.broker_url(addresses, directory, login)}",
        "--exchange=incidents",
        f"--routing-key={message.routing_key}",
        "--persistent",
        f"--content-type={CONTENT_TYPE}",
        f"--header=partitionkey: {message.partitionkey}",
        f"--body={message.body.decode()}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PUBLISH_SECONDS, check=False)
    if done.returncode:
        raise CommandFailed(f"amqp-publish failed: {done.stderr.strip() or done.returncode}")


def _short(data: Mapping[str, Any]) -> str:
    said = str(data.get("title") or data["text"])
    return said if len(said) <= SHORT else f"{said[:SHORT]}…"


def _same(seen: Any, expected: Any) -> bool:
    """Whether two values are equal: instants whatever their offset, assist units by their ids."""
    if isinstance(seen, list) and all(isinstance(each, dict) for each in seen):
        return bool([each.get("unit") for each in seen] == expected)
    try:
        return datetime.fromisoformat(seen) == datetime.fromisoformat(expected)
    except (TypeError, ValueError):
        return bool(seen == expected)
