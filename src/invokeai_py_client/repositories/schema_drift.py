"""Compares a server's OpenAPI document with the API that this client uses, to check new versions of InvokeAI."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal
from urllib.parse import unquote

from invokeai_py_client.wire import calls
from invokeai_py_client.wire.call import Call
from invokeai_py_client.wire.calls.queue import EnqueueResult
from invokeai_py_client.wire.events import READ_FROM_EVENTS
from invokeai_py_client.wire.records.base import Record
from invokeai_py_client.workflow.templates import NodeTemplates

_NODES = (
    *(f"{kind}_{what}" for kind in ("integer", "float", "string", "image") for what in ("batch", "generator")),
    *("collect", "iterate", "if", "image_collection", "core_metadata", "call_saved_workflow"),
)
"""The node types that the web UI, and therefore this client, treats specially."""

_DEEPEST = 5

Answer = type[Any]
"""A `Record` or an `EnqueueResult`."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A part of the API that this client uses, and that the server lacks or has changed.

    `kind` is `route`, `query`, `answer`, `event` or `node`.
    """

    kind: str
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}: {self.why}"


@dataclass(frozen=True, slots=True)
class KnownRoute:
    """A route that this client calls: its path in the OpenAPI document, its query parameters and its response."""

    method: str
    path: str
    query: tuple[str, ...]
    answer: Answer | None
    made_by: str


def known_routes() -> list[KnownRoute]:
    """Return every route that this client calls, found by creating each `Call` with placeholder arguments."""
    return [
        _route(f"{module.__name__.rsplit('.', 1)[-1]}.{name}", function)
        for module in _modules()
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]


def schema_drift(document: Mapping[str, Any]) -> list[Drift]:
    """Compare a server's OpenAPI document with the API that this client uses.

    Args:
        document: the parsed response of `/openapi.json`.

    Returns:
        The differences; empty if the server has everything. On older servers, they include parts for which the client
        has a fallback.

    Raises:
        WorkflowError: the document does not describe any nodes, so the server is not an InvokeAI server.
    """
    return [*_routes(document), *_events(document), *_nodes(NodeTemplates.from_openapi(document))]


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(calls.__path__):
        yield importlib.import_module(f"{calls.__name__}.{found.name}")


def _route(name: str, function: Any) -> KnownRoute:
    hints = typing.get_type_hints(function)
    call: Call[Any] = function(
        **{
            parameter.name: _sample(parameter.name, hints[parameter.name])
            for parameter in inspect.signature(function).parameters.values()
            if parameter.default is parameter.empty
        }
    )
    answers = [
        hint for hint in _inner(hints["return"]) if isinstance(hint, type) and issubclass(hint, Record | EnqueueResult)
    ]
    return KnownRoute(call.method, unquote(call.path), tuple(call.query), answers[0] if answers else None, name)


def _sample(name: str, hint: Any) -> Any:
    """Return a placeholder argument for a call: for a string, `{name}`, so the path becomes that of the route."""
    kind = typing.get_origin(hint) or hint
    if kind is bool:
        return False
    if kind is dict or kind is Mapping:
        return {}
    if kind is Sequence:
        return ()
    return b"" if bytes in typing.get_args(hint) else f"{{{name}}}"


def _inner(hint: Any) -> Iterator[Any]:
    yield hint
    for argument in typing.get_args(hint):
        yield from _inner(argument)


def _routes(document: Mapping[str, Any]) -> Iterator[Drift]:
    paths = {_without_names(path): methods for path, methods in document["paths"].items()}
    for route in known_routes():
        if route.path == "/openapi.json":
            continue
        operation = paths.get(_without_names(route.path), {}).get(route.method.lower())
        what = f"{route.method} {route.path}"
        if operation is None:
            yield Drift("route", what, f"the server does not have it; {route.made_by} needs it")
            continue
        taken = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"}
        for name in route.query:
            if name not in taken:
                yield Drift("query", what, f"it does not accept {name!r}, which {route.made_by} sends")
        if route.answer is not None:
            yield from _answer(what, route.answer, operation, document)


def _without_names(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def _answer(what: str, answer: Answer, operation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Drift]:
    required = _required(answer)
    schemas = [
        schema
        for status, response in operation["responses"].items()
        if status.startswith("2")
        for content in response.get("content", {}).values()
        for schema in _objects(content.get("schema", {}), document, _DEEPEST)
    ]
    lacking = min((required.keys() - schema.keys() for schema in schemas), key=len, default={*required})
    if lacking:
        yield Drift("answer", what, f"no object in it has {', '.join(sorted(lacking))}, as {answer.__name__} needs")
    for name, annotation in required.items():
        choices = typing.get_args(annotation)
        if typing.get_origin(annotation) is Literal:
            for schema in schemas:
                for choice in schema.get(name, {}).get("enum", ()) if required.keys() <= schema.keys() else ():
                    if choice not in choices:
                        yield Drift("answer", what, f"its {name} can be {choice!r}, which the client does not know")


def _required(answer: Answer) -> dict[str, Any]:
    """Return the types of the required fields of a response, by the server's names."""
    if issubclass(answer, EnqueueResult):
        return {
            name: hint for name, hint in typing.get_type_hints(answer).items() if name not in answer._field_defaults
        }
    fields = answer.model_fields.items()
    return {field.alias or name: field.annotation for name, field in fields if field.is_required()}


def _objects(schema: Mapping[str, Any], document: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    """Yield the properties of every object in a schema, following references."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    if depth == 0:
        return
    properties: Mapping[str, Any] = schema.get("properties", {})
    if properties:
        yield properties
    for inner in (
        *properties.values(),
        schema.get("items"),
        *(part for union in ("anyOf", "oneOf", "allOf") for part in schema.get(union, ())),
    ):
        if isinstance(inner, Mapping):
            yield from _objects(inner, document, depth - 1)


def _events(document: Mapping[str, Any]) -> Iterator[Drift]:
    schemas = document["components"]["schemas"]
    for name, fields in READ_FROM_EVENTS.items():
        schema = schemas.get("".join(word.capitalize() for word in name.split("_")) + "Event")
        if schema is None:
            yield Drift("event", name, "the server does not describe it")
            continue
        for field in fields:
            if field not in schema.get("properties", {}):
                yield Drift("event", name, f"it has no {field!r}")


def _nodes(templates: NodeTemplates) -> Iterator[Drift]:
    for node_type in _NODES:
        if node_type not in templates:
            yield Drift("node", node_type, "the server does not have this type, which the client treats specially")
