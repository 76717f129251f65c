"""The generated blocking classes are current, and have what the awaited ones have, for people and for tools."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Coroutine, Mapping
from functools import cached_property
from typing import Any, TypeVar, cast, get_type_hints

import pytest
from scripts.generate_blocking import FACES, RENAMED, TARGET, generated, wrapped

from invokeai_py_client import AsyncStylePresets, InvokeAIClient, StylePreset, StylePresets
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.twins import Blocking
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Call

T = TypeVar("T")

GENERATED = "invokeai_py_client.blocking.generated"


def blocking_class(module: str) -> type[Any]:
    loaded = importlib.import_module(f"{GENERATED}.{module}")
    (found,) = (one for _, one in inspect.getmembers(loaded, inspect.isclass) if one.__module__ == loaded.__name__)
    assert issubclass(found, Blocking)
    return found


def awaited_class(module: str) -> type[Any]:
    home, _, name = FACES[module].rpartition(".")
    found: type[Any] = getattr(importlib.import_module(f"invokeai_py_client.{home}"), name)
    return found


def public(kind: type[Any]) -> dict[str, Any]:
    return {
        name: member
        for name, member in inspect.getmembers(kind)
        if name != "aio" and (not name.startswith("_") or name == "_make_request") and not hasattr(Mapping, name)
    }


def test_what_is_committed_is_what_the_generator_writes() -> None:
    out_of_date = [path.name for path, text in generated().items() if path.read_text(encoding="utf-8") != text]
    assert out_of_date == [], "run: make generate"
    assert {path.stem for path in TARGET.glob("*.py")} == {"__init__", *FACES}


def test_there_is_a_blocking_repository_for_every_awaited_one() -> None:
    with InvokeAIClient.from_url("http://127.0.0.1:9") as client:
        for name in public(type(client.aio)):
            there = getattr(client.aio, name)
            if type(there).__name__.startswith("Async"):
                here = getattr(client, name)
                assert isinstance(here, Blocking)
                assert (here.aio, getattr(client, name)) == (there, here)


@pytest.mark.parametrize("module", FACES)
def test_a_blocking_class_has_the_members_of_the_awaited_one(module: str) -> None:
    awaited, blocking = public(awaited_class(module)), public(blocking_class(module))
    names = {name: RENAMED.get((awaited_class(module).__name__, name), name) for name in awaited}
    assert {*names.values()} == blocking.keys()
    for name, there in awaited.items():
        here = blocking[names[name]]
        assert inspect.getdoc(here) == inspect.getdoc(there)
        assert inspect.getdoc(here), name
        here, there = function_of(here), function_of(there)
        assert inspect.isfunction(here), name
        assert not inspect.iscoroutinefunction(here), name
        assert here.__code__.co_name == names[name], "a tool that reads the source sees it"
        assert without_awaited(inspect.signature(there)) == str(inspect.signature(here))


@pytest.mark.parametrize("module", FACES)
def test_the_type_hints_of_both_classes_can_be_read(module: str) -> None:
    for kind in (awaited_class(module), blocking_class(module)):
        for name, member in public(kind).items():
            hints = get_type_hints(function_of(member))
            assert "return" in hints, name


class CountingEngine(Engine):
    """Counts the calls that block on it."""

    def __init__(self) -> None:
        super().__init__("counting")
        self.blocked = 0

    def block(self, coro: Coroutine[Any, Any, T]) -> T:
        self.blocked += 1
        return super().block(coro)


class Presets:
    """A server with one style preset."""

    async def send(self, call: Call[Any]) -> Any:
        prompts = {"positive_prompt": "", "negative_prompt": ""}
        preset = {"id": "p", "name": "mine", "type": "user", "preset_data": prompts, "is_public": True}
        return StylePreset.model_validate(preset) if call.path.endswith("/i/p") else []


def test_a_call_is_handed_to_the_engine_once_however_many_requests_it_makes() -> None:
    engine = CountingEngine()
    presets = StylePresets(AsyncStylePresets(engine, cast(HttpTransport, Presets())))
    try:
        assert presets.list_style_presets() == []
        assert engine.blocked == 1
        assert presets.delete_style_preset("p") == "p"
        assert engine.blocked == 2
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("returns", "expression"),
    [
        ("int", "made"),
        ("AsyncBoard", "Board(made)"),
        ("list[AsyncBoard]", "[Board(each) for each in made]"),
        ("dict[str, AsyncRun]", "{key: Run(each) for key, each in made.items()}"),
        ("Listing[AsyncImage]", "made._mapped(Image)"),
    ],
)
def test_awaited_objects_are_returned_as_blocking_ones(returns: str, expression: str) -> None:
    assert wrapped("made", ast.parse(returns, mode="eval").body) == expression


def test_what_the_generator_cannot_convert_is_an_error() -> None:
    with pytest.raises(NotImplementedError, match="set"):
        wrapped("made", ast.parse("set[AsyncBoard]", mode="eval").body)


def function_of(member: Any) -> Any:
    if isinstance(member, cached_property):
        return member.func
    return member.fget if isinstance(member, property) else member


def without_awaited(signature: inspect.Signature) -> str:
    """A signature as the blocking class has it, where `AsyncBoard` is `Board` and nothing is read with `async for`."""
    return re.sub(r"Async(?!Iterable)(?=[A-Z])", "", re.sub(r" \| AsyncIterable\[\w+\]", "", str(signature)))
