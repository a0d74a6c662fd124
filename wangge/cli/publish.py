"""`wangge publish`: publishes incidents as an outside system would, and prints the receipt of each."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import amqp
import requests
import typer
from rich.console import Console

from wangge.chassis.ids import new_id
from wangge.cli import publishers
from wangge.cli.api import CALL_SECONDS
from wangge.cli.errors import CommandFailed
from wangge.cli.local import DEFAULT_DIRECTORY, Addresses
from wangge.cli.options import Directory
from wangge.cli.publishers import Publisher
from wangge.cli.tables import plain_table
from wangge.contracts.areas import Area
from wangge.contracts.envelope import CONTENT_TYPE

commands = typer.Typer()
console = Console()

TYPE = "incident.reported.v1"


@dataclass(frozen=True)
class Message:
    """A structured CloudEvent on its way to the exchange `incidents`."""

    id: str
    routing_key: str
    partitionkey: str
    body: bytes


def as_message(incident: dict[str, Any], publisher: Publisher) -> Message:
    """The message of an incident: a whole CloudEvent is sent as it is, bare data get an envelope."""
    event = incident if "specversion" in incident else envelope(incident, publisher)
    data = event.get("data")
    said = event.get("area") or (data.get("area") if isinstance(data, dict) else None)
    area = str(said or publisher.area)
    try:
        words = Area.parse(area).routing
    except ValueError:
        words = "unknown"  # the service says what is wrong with it
    key = str(event.get("partitionkey") or event.get("subject") or event.get("id") or "")
    body = json.dumps(event, ensure_ascii=False).encode()
    return Message(str(event.get("id", "")), f"incident.reported.{words}", key, body)


def envelope(data: dict[str, Any], publisher: Publisher) -> dict[str, Any]:
    """A CloudEvent of the incident that these data tell; `occurred_at` is now where it is not said."""
    now = datetime.now(UTC).isoformat()
    event_id = new_id()
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": publisher.source,
        "type": TYPE,
        "subject": str(data.get("external_no") or event_id),
        "time": now,
        "datacontenttype": "application/json",
        "area": str(data.get("area") or publisher.area),
        "data": {"occurred_at": now, **data},
    }


def read_incidents(text: str, shown: str) -> list[dict[str, Any]]:
    """The incidents of a JSON document (one, or a list) or of NDJSON.

    Raises:
        CommandFailed: it is neither; the text names the line.
    """
    try:
        whole = json.loads(text)
        found = whole if isinstance(whole, list) else [whole]
    except ValueError:
        found = list(_lines(text, shown))
    for incident in found:
        if not isinstance(incident, dict):
            raise CommandFailed(f"{shown}: an incident is a JSON object, not {json.dumps(incident)[:40]}")
    return found


def _lines(text: str, shown: str) -> Iterator[Any]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as wrong:
                raise CommandFailed(f"{shown}:{number}: not JSON: {wrong}") from wrong


def send(url: str, login: str, messages: Iterable[Message]) -> None:
    """Publish persistently, each confirmed by the broker.

    Raises:
        CommandFailed: the broker is away, or took a message nowhere.
    """
    try:
        with publishers.connection(url) as connection:
            channel = connection.channel()
            channel.confirm_select()
            for message in messages:
                channel.basic_publish_confirm(_amqp_message(message, login), "incidents", message.routing_key)
    except (OSError, amqp.AMQPError) as failure:
        raise CommandFailed(f"The broker did not take the messages: {failure}") from failure


def _amqp_message(message: Message, login: str) -> amqp.Message:
    return amqp.Message(
        message.body,
        content_type=CONTENT_TYPE,
        content_encoding="utf-8",
        delivery_mode=2,
        message_id=message.id,
        type=TYPE,
        user_id=login,
        app_id=login,
        application_headers={"partitionkey": message.partitionkey},
    )


def receipts(url: str, login: str, ids: Iterable[str], wait_seconds: float) -> Iterator[dict[str, Any]]:
    """The receipts of these messages as they come, until all are there or the time is over.

    Receipts of other messages stay in the queue.
    """
    wanted = set(ids)
    came: list[dict[str, Any]] = []
    with publishers.connection(url) as connection:
        channel = connection.channel()

        def take(message: amqp.Message) -> None:
            receipt = json.loads(message.body)["data"]
            if receipt["message_id"] in wanted:
                channel.basic_ack(message.delivery_tag)
                came.append(receipt)

        channel.basic_consume(f"receipts.{login}", callback=take)
        end = time.monotonic() + wait_seconds
        while wanted and (left := end - time.monotonic()) > 0:
            try:
                connection.drain_events(timeout=left)
            except TimeoutError:
                return
            while came:
                receipt = came.pop(0)
                wanted.discard(receipt["message_id"])
                yield receipt


def post(
    addresses: Addresses, directory: Path, login: str, messages: Iterable[Message]
) -> Iterator[dict[str, Any]]:
    """The same over HTTP with the publisher's API key: NDJSON out, a receipt for each line back.

    Raises:
        CommandFailed: intake is away or refuses the whole.
    """
    url = f"{addresses.service('intake').http_url.rstrip('/')}/v1/reports/batch"
    lines = b"".join(message.body + b"\n" for message in messages)
    headers = {"X-API-Key": publishers.api_key_of(directory, login), "Content-Type": "application/x-ndjson"}
    try:
        with requests.post(url, lines, headers=headers, stream=True, timeout=CALL_SECONDS) as answer:
            if not answer.ok:
                raise CommandFailed(f"{url} answered {answer.status_code}: {answer.text[:500]}")
            yield from (json.loads(line) for line in answer.iter_lines() if line)
    except requests.RequestException as failure:
        raise CommandFailed(f"{url} failed: {failure}") from failure


@commands.command()
def publish(
    file: Annotated[
        str, typer.Argument(help="JSON or NDJSON: whole CloudEvents, or incidents' bare data; `-`: stdin.")
    ],
    login: Annotated[str, typer.Option(help="The publisher's login.")],
    http: Annotated[bool, typer.Option("--http", help="Over HTTP with the API key instead of AMQP.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the receipts.")] = 30.0,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Publish incidents as an outside system and print their receipts; exit status 1 unless each got one."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as away:
        raise CommandFailed(f"{file} cannot be read: {away.strerror}.") from away
    incidents = read_incidents(text, file)
    addresses = Addresses.read(directory)
    publisher = Publisher.read(directory, login)
    messages = [as_message(incident, publisher) for incident in incidents]
    if http:
        answered = list(post(addresses, directory, login, messages))
    else:
        url = publishers.broker_url(addresses, directory, login)
        send(url, login, messages)
        answered = list(receipts(url, login, [message.id for message in messages], wait))
    _show(answered)
    if len(answered) < len(incidents):
        raise CommandFailed(
            f"{len(incidents) - len(answered)} of {len(incidents)} got no receipt within {wait:g} s."
        )


def _show(answered: list[dict[str, Any]]) -> None:
    table = plain_table("message", "outcome", "report", "of", "errors")
    for receipt in answered:
        errors = "; ".join(f"{each['field']}: {each['message']}" for each in receipt.get("errors") or ())
        table.add_row(
            str(receipt.get("message_id") or f"line {receipt.get('line')}"),
            str(receipt.get("outcome", "")),
            str(receipt.get("report_code") or ""),
            str(receipt.get("of") or ""),
            errors,
        )
    console.print(table)
