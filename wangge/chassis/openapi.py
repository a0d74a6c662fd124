"""Describes a service's HTTP face as OpenAPI 3.1, from its routes and their schemas."""

from __future__ import annotations

import re
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from markupsafe import Markup
from marshmallow import Schema

from wangge.chassis.http import RouteSpec, routes_of

CONVERTER = re.compile(r"<(?:(\w+):)?(\w+)>")

PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable, for programs"},
        "detail": {"type": "string", "description": "Chinese; English by Accept-Language"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def describe(service: type, name: str, version: str) -> dict[str, Any]:
    """The OpenAPI document of a service class."""
    spec = APISpec(
        title=f"Wangge {name}",
        version=version,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin(schema_name_resolver=_schema_name)],
        info={"description": (service.__doc__ or "").strip()},
    )
    spec.components.schema("Problem", PROBLEM)
    spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
    spec.components.security_scheme("apiKey", {"type": "apiKey", "in": "header", "name": "X-API-Key"})
    paths: dict[str, dict[str, Any]] = {}
    for method_name, route in routes_of(service):
        paths.setdefault(CONVERTER.sub(r"{\2}", route.path), {})[route.method.lower()] = _operation(
            method_name, route
        )
    for path, operations in paths.items():
        spec.path(path=path, operations=operations)
    document: dict[str, Any] = spec.to_dict()
    return document


def _operation(method_name: str, route: RouteSpec) -> dict[str, Any]:
    parameters: list[Any] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer" if kind == "int" else "string"},
        }
        for kind, name in CONVERTER.findall(route.path)
    ]
    if route.query is not None:
        parameters.append({"in": "query", "schema": route.query})
    operation: dict[str, Any] = {
        "operationId": method_name,
        "summary": route.summary,
        "tags": [route.tag or "general"],
        "parameters": parameters,
        "responses": {str(route.status): _success(route), "default": _problem()},
    }
    if route.may:
        operation["description"] = f"Roles: {', '.join(sorted(route.may))}."
    if not route.is_public:
        operation["security"] = [{"bearer": []}, {"apiKey": []}]
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": route.body}}}
    return operation


def _success(route: RouteSpec) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "done"}
    if route.answer is not None:
        schema: Any = {"type": "array", "items": route.answer} if route.many else route.answer
        answer["content"] = {"application/json": {"schema": schema}}
    return answer


def _problem() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": "refused: RFC 9457 problem",
        "content": {"application/problem+json": {"schema": schema}},
    }


def _schema_name(schema: Schema | type[Schema] | str) -> str:
    name = schema if isinstance(schema, str) else getattr(schema, "__name__", type(schema).__name__)
    return name.removesuffix("Schema")


def readable(document: dict[str, Any]) -> str:
    """The document as one plain page: every route with who may pass and the fields that go in."""
    rows = [
        _row(method.upper(), path, operation, document["components"]["schemas"])
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    return str(
        Markup(_PAGE).format(  # noqa: S704 (a constant; what is filled in is escaped)
            title=document["info"]["title"], body=Markup("").join(rows)
        )
    )


def _row(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Markup:
    lines = [
        operation["summary"],
        operation.get("description", ""),
        _asked(operation),
        _sent(operation, schemas),
    ]
    shown = Markup("<br>").join(
        [lines[0], *(Markup("<small>{}</small>").format(line) for line in lines[1:] if line)]
    )
    return Markup('<tr><td class="m">{}</td><td><code>{}</code></td><td>{}</td></tr>').format(
        method, path, shown
    )


def _asked(operation: dict[str, Any]) -> str:
    names = [each["name"] for each in operation["parameters"] if each.get("in") == "query"]
    return f"Query: {', '.join(names)}." if names else ""


def _sent(operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    schema = schemas.get(body.get("$ref", "").rpartition("/")[2], {})
    required = set(schema.get("required", ()))
    names = [name if name in required else f"{name}?" for name in schema.get("properties", {})]
    return f"Body: {', '.join(names)}." if names else ""


_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d232a}}
table{{border-collapse:collapse;width:100%}}td{{border-top:1px solid #d5d9de;padding:.5rem .6rem;vertical-align:top}}
.m{{font-weight:600;color:#a61b1b}}small{{color:#57606a}}code{{font-size:.95em}}</style></head>
<body><h1>{title}</h1><p>The machine-readable description is at <a href="/openapi.json">/openapi.json</a>.
Errors are RFC 9457 problems with every wrong field in <code>errors</code>.</p><table>{body}</table></body></html>"""
