"""What a user can hold is exported from the package, and listed."""

from __future__ import annotations

import ast
import builtins
import collections.abc
import functools
import importlib
import inspect
import sys
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, get_type_hints

import invokeai_py_client

ROOT = Path(__file__).parents[2]
PACKAGE = invokeai_py_client.__name__

NOT_LISTED = {"PIL"}
"""Names in signatures that are of another package."""


def function_of(member: Any) -> Any:
    for attribute in ("__func__", "func", "fget"):
        member = getattr(member, attribute, member)
    return inspect.unwrap(member) if callable(member) else member


def public_functions(kind: type[Any]) -> Iterator[tuple[str, Any]]:
    for base in kind.__mro__:
        if base.__module__.startswith(PACKAGE):
            for name, member in vars(base).items():
                function = function_of(member)
                is_public = not name.startswith("_") or name in ("__getitem__", "__iter__")
                if is_public and inspect.isfunction(function):
                    yield f"{kind.__name__}.{name}", function


def annotations_of(kind: type[Any]) -> Iterator[tuple[str, str, ModuleType]]:
    """The annotations of a class's public attributes and methods, and the modules that they are to be read in."""
    for base in kind.__mro__:
        if base.__module__.startswith(PACKAGE):
            for name, annotation in vars(base).get("__annotations__", {}).items():
                if not name.startswith("_"):
                    yield f"{kind.__name__}.{name}", str(annotation), sys.modules[base.__module__]
    for where, function in public_functions(kind):
        for annotation in function.__annotations__.values():
            yield where, str(annotation), sys.modules[function.__module__]


def is_ours(name: str, value: object) -> bool:
    """Return whether a name stands for a class or a type alias of the package."""
    if inspect.isclass(value):
        # A protocol says what an argument has to have; it is nothing to hold.
        return value.__module__.startswith(PACKAGE) and not getattr(value, "_is_protocol", False)
    is_other = isinstance(value, ModuleType | TypeVar) or hasattr(typing, name) or hasattr(collections.abc, name)
    return not is_other


def test_every_type_in_a_public_signature_is_listed() -> None:
    todo = [one for name in invokeai_py_client.__all__ if inspect.isclass(one := getattr(invokeai_py_client, name))]
    seen: set[type[Any]] = set()
    missing: dict[str, str] = {}
    while todo:
        kind = todo.pop()
        if kind in seen:
            continue
        seen.add(kind)
        for where, annotation, module in annotations_of(kind):
            for node in ast.walk(ast.parse(annotation, mode="eval")):
                name = getattr(node, "id", getattr(node, "attr", None))
                if name is None or hasattr(builtins, name) or ast.unparse(node).split(".")[0] in NOT_LISTED:
                    continue
                value = functools.reduce(getattr, ast.unparse(node).split("."), module)
                # Errors are listed in the module `errors`.
                if is_ours(name, value) and not hasattr(invokeai_py_client.errors, name):
                    if name not in invokeai_py_client.__all__:
                        missing[name] = f"{where}: {annotation}"
                    if inspect.isclass(value):
                        todo.append(value)
    assert missing == {}
    assert len(seen) > 100


def test_the_type_hints_of_all_public_methods_can_be_read() -> None:
    for name in invokeai_py_client.__all__:
        kind = getattr(invokeai_py_client, name)
        if inspect.isclass(kind):
            for where, function in public_functions(kind):
                assert "return" in get_type_hints(function), where


def test_what_is_listed_is_imported_for_type_checkers_too() -> None:
    tree = ast.parse(Path(invokeai_py_client.__file__).read_text(encoding="utf-8"))
    checked = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert {*invokeai_py_client.__all__} - {"__version__"} <= checked
    assert len({*invokeai_py_client.__all__}) == len(invokeai_py_client.__all__)


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert invokeai_py_client.__version__ == project["version"]


def test_a_name_is_that_of_the_class_that_it_stands_for() -> None:
    for name in invokeai_py_client.__all__:
        value = getattr(invokeai_py_client, name)
        if inspect.isclass(value):
            assert value.__name__ == name
            assert getattr(importlib.import_module(value.__module__), name) is value
