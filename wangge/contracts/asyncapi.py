"""Writes the published language down: AsyncAPI 3.0, and a JSON Schema (2020-12) for the data of each event.

Both are made from the marshmallow contracts, so they cannot say anything else than what is checked on the bus.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

import wangge
from wangge.contracts.envelope import CONTENT_TYPE, EnvelopeSchema
from wangge.contracts.events import REGISTRY, subscribers
from wangge.contracts.registry import EventType

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DECIMAL = r"^[0-9]+(\.[0-9]+)?$"
"""An amount that is not negative, as text."""

COMPONENTS = "#/components/schemas/"

AREA_WORDS = (
    "The words of the area: province, city, county (2 digits each), street, community, grid (3 each), micro-grid (2), "
    "for example `14.08.02.002.902.001.00`; a shorter key names a wider area."
)


def files() -> dict[str, str]:
    """All generated files: path under `docs/` and text."""
    written = {f"schemas/{event.type}.json": _json(data_schema(event)) for event in REGISTRY}
    written["asyncapi.yaml"] = _yaml(document())
    return written


def data_schema(event: EventType) -> dict[str, Any]:
    """The JSON Schema of an event's `data`, with everything it refers to."""
    schemas = _schemas({_name(event): event.schema})
    own = schemas.pop(_name(event))
    return {
        "$schema": DIALECT,
        "$id": event.dataschema,
        "title": event.type,
        "description": _whole(event.schema),
        **_repointed(own, "#/$defs/"),
        **({"$defs": _repointed(schemas, "#/$defs/")} if schemas else {}),
    }


def document() -> dict[str, Any]:
    """The AsyncAPI document of the whole bus."""
    schemas = _schemas({_name(event): event.schema for event in REGISTRY} | {"Envelope": EnvelopeSchema})
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Wangge 网格",
            "version": wangge.__version__,
            "description": "What is told on the bus: incidents in, receipts out, and the facts of each service.",
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "broker": {
                "host": "broker.example:5672",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "description": "RabbitMQ; `wangge status --json` tells the address of a running system.",
            }
        },
        "channels": {event.name: _channel(event) for event in REGISTRY},
        "operations": {_operation_name(event): _operation(event) for event in REGISTRY},
        "components": {"messages": {event.type: _message(event) for event in REGISTRY}, "schemas": schemas},
    }


def _channel(event: EventType) -> dict[str, Any]:
    if event.on_exchange == "receipts":
        address, parameters = "{login}", {"login": {"description": "The publisher's login."}}
    else:
        address, parameters = f"{event.name}.{{area}}", {"area": {"description": AREA_WORDS}}
    return {
        "address": address,
        "title": event.name,
        "description": _whole(event.schema),
        "messages": {event.type: {"$ref": f"#/components/messages/{event.type}"}},
        "parameters": parameters,
        "x-subscribers": subscribers(event.type),
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": event.on_exchange,
                    "type": "topic",
                    "durable": True,
                    "autoDelete": False,
                },
                "bindingVersion": "0.3.0",
            }
        },
    }


def _operation_name(event: EventType) -> str:
    return f"{'receive' if event.owner == 'external' else 'send'}.{event.name}"


def _operation(event: EventType) -> dict[str, Any]:
    is_external = event.owner == "external"
    owner = "an outside system" if is_external else event.owner
    return {
        "action": "receive" if is_external else "send",
        "title": f"{owner} tells {event.name}",
        "summary": event.summary,
        "channel": {"$ref": f"#/channels/{event.name}"},
        "messages": [{"$ref": f"#/channels/{event.name}/messages/{event.type}"}],
        "tags": [{"name": event.owner}],
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "bindingVersion": "0.3.0"}},
    }


def _message(event: EventType) -> dict[str, Any]:
    return {
        "name": event.type,
        "title": event.name,
        "summary": event.summary,
        "contentType": CONTENT_TYPE,
        "headers": {
            "type": "object",
            "properties": {
                "partitionkey": {
                    "type": "string",
                    "description": "As in the body; messages of one key keep their order.",
                }
            },
        },
        "correlationId": {"location": "$message.payload#/correlationid"},
        "payload": {
            "allOf": [
                {"$ref": f"{COMPONENTS}Envelope"},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": event.type},
                        "data": {"$ref": f"{COMPONENTS}{_name(event)}"},
                    },
                },
            ]
        },
    }


def _name(event: EventType) -> str:
    return event.schema.__name__


def _schemas(wanted: Mapping[str, type[Schema]]) -> dict[str, Any]:
    """These shapes, and those they are made of, as JSON Schemas by name."""
    spec = APISpec("Wangge", "1", "3.1.0", plugins=[_Plugin()])
    for name, schema in wanted.items():
        spec.components.schema(name, schema=schema)
    described = {name: _whole(schema) for name, schema in wanted.items()}
    made: dict[str, Any] = spec.to_dict()["components"]["schemas"]
    return {
        name: {**_without_bounds(schema), **({"description": described[name]} if name in described else {})}
        for name, schema in sorted(made.items())
    }


class _Plugin(MarshmallowPlugin):
    """The converter, with the one field that it does not know."""

    def init_spec(self, spec: APISpec) -> None:
        super().init_spec(spec)
        assert self.converter is not None  # noqa: S101 (made by the line above)
        self.converter.add_attribute_function(_decimal_text)  # type: ignore[no-untyped-call]


def _decimal_text(_: Any, field: fields.Field[Any], **__: Any) -> dict[str, Any]:
    """An exact amount travels as text, which apispec does not know."""
    if isinstance(field, fields.Decimal) and field.as_string:
        return {"type": "string", "pattern": DECIMAL}
    return {}


def _without_bounds(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same, without the bounds of a number on what travels as text."""
    properties = {
        name: {key: value for key, value in each.items() if key not in ("minimum", "maximum")}
        if each.get("pattern") == DECIMAL
        else each
        for name, each in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties}


def _repointed(value: Any, base: str) -> Any:
    """The same with its references leading to `base`."""
    if isinstance(value, Mapping):
        return {key: _repointed(inner, base) for key, inner in value.items()}
    if isinstance(value, list):
        return [_repointed(inner, base) for inner in value]
    if isinstance(value, str) and value.startswith(COMPONENTS):
        return base + value.removeprefix(COMPONENTS)
    return value


def _whole(schema: type[Schema]) -> str:
    return " ".join((schema.__doc__ or "").split())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


class _Dumper(yaml.SafeDumper):
    """Block style without anchors: a reader should not have to look back."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 (PyYAML's own signature)
        return True


def _yaml(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=110)
    return text


def references(value: Any) -> Iterator[str]:
    """Every `$ref` in a document."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)
