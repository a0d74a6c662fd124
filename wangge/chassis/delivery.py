"""Reads what the broker delivered: raw message -> envelope -> data by its contract."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from marshmallow import ValidationError

from wangge.chassis.errors import FieldError, Permanent
from wangge.contracts.envelope import MAX_BODY_BYTES, Event
from wangge.contracts.registry import Registry

OPEN_EXCHANGE = "incidents"
"""Where outside systems may write: what tells a service's own fact there is forged."""

#: A message delivered this often without being settled runs alone: it may be what killed the process.
SUSPECT_DELIVERIES = 2

#: Bytes of a body that a held event keeps; of a longer one the beginning and the digest are kept.
KEPT_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as the broker handed it over. `login` is the broker-checked user_id, empty where not given."""

    body: bytes
    exchange: str = ""
    routing_key: str = ""
    message_id: str = ""
    login: str = ""
    redelivered: bool = False
    delivery_count: int = 0
    headers: Mapping[str, Any] = field(default_factory=dict)
    tag: int = 0
    generation: int = 0

    @property
    def is_suspect(self) -> bool:
        """Whether it came back so often that it may be what kills the process."""
        return self.delivery_count >= SUSPECT_DELIVERIES

    def again(self) -> Delivery:
        """The same message to be processed once more: it may have been settled, with the answer to that lost."""
        return replace(self, redelivered=True)

    @property
    def key(self) -> str:
        """An id for a message that could not be read: its own message id, or the digest of its body."""
        return self.message_id[:128] or f"sha256:{hashlib.sha256(self.body).hexdigest()}"

    @property
    def text(self) -> str:
        """The body as text that a database takes; unreadable bytes are escaped, nothing readable is changed."""
        kept = self.body[:KEPT_BYTES].decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
        if len(self.body) <= KEPT_BYTES:
            return kept
        return f"{kept}\n… {len(self.body)} bytes, sha256 {hashlib.sha256(self.body).hexdigest()}"


def read(delivery: Delivery, registry: Registry) -> Event:
    """The event in `delivery`, its data loaded by its contract. Raises `Permanent` naming every wrong field."""
    if len(delivery.body) > MAX_BODY_BYTES:
        raise Permanent(
            "too_large",
            f"body of {len(delivery.body)} bytes, at most {MAX_BODY_BYTES}",
            [{"field": "body", "message": f"at most {MAX_BODY_BYTES} bytes"}],
        )
    if b"\\u0000" in delivery.body:
        raise Permanent(
            "bad_text", "NUL character in the body", [{"field": "body", "message": "NUL character"}]
        )
    try:
        event = Event.from_json(delivery.body)
    except ValidationError as wrong:
        code = "bad_json" if wrong.field_name == "body" else "bad_envelope"
        errors = wrong_fields(wrong)
        if code == "bad_envelope":
            errors += _wrong_data(orjson.loads(delivery.body), registry)
        raise Permanent(code, "the envelope is wrong", errors) from wrong
    contract = registry.get(event.type)
    if contract is None:
        raise Permanent(
            "unknown_type",
            f"no contract for {event.type}",
            [{"field": "type", "message": f"unknown: {event.type}"}],
        )
    if delivery.exchange == OPEN_EXCHANGE and contract.on_exchange != OPEN_EXCHANGE:
        raise Permanent(
            "wrong_exchange",
            f"{event.type} is not for {OPEN_EXCHANGE}",
            [{"field": "type", "message": f"{event.type} cannot be sent here"}],
        )
    try:
        data = contract.load(event.data)
    except ValidationError as wrong:
        errors = wrong_fields(wrong, "data")
        raise Permanent("bad_data", f"{event.type} does not fit its contract", errors) from wrong
    return replace(event, data=data, origin=delivery.login)


def _wrong_data(document: Mapping[str, Any], registry: Registry) -> list[FieldError]:
    """What is wrong with the data of a document whose envelope is wrong already, as far as its type tells."""
    type_, data = document.get("type"), document.get("data")
    contract = registry.get(type_) if isinstance(type_, str) else None
    if contract is None or not isinstance(data, Mapping):
        return []
    return list(_flatten(contract.loader.validate(data), "data"))


def wrong_fields(wrong: ValidationError, prefix: str = "") -> list[FieldError]:
    """What marshmallow found as a flat list, one entry a wrong field, paths joined by dots."""
    return list(_flatten(wrong.messages, prefix))


def _flatten(messages: Any, path: str) -> Iterable[FieldError]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            step = path if name == "_schema" else f"{path}.{name}".lstrip(".")
            yield from _flatten(inner, step)
    elif isinstance(messages, list):
        yield {"field": path or "body", "message": " ".join(str(message) for message in messages)}
    else:
        yield {"field": path or "body", "message": str(messages)}
