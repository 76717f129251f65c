"""The house keeps its floors: a room imports only what lies below it, or in its own folder."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "invokeai_py_client"

FLOORS = [
    {"errors", "secret"},
    {"files", "json_text", "mapping", "proxies"},
    {"settings", "local", "wire", "workflow"},
    {"runtime", "schema_drift"},
    {"transport"},
    {"image", "live", "catalog"},
    {"run", "submission", "catalog_changes"},
    {"handle"},
    {"repositories"},
    {"client"},
    {"demo", "monitor"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

PURE = {"wire", "workflow"}
IMPURE_MODULES = {"asyncio", "threading", "socket", "aiohttp", "socketio", "subprocess", "urllib.request"}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module or ""


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_what_lies_below_it(path: Path) -> None:
    room = room_of(path)
    for name in imports(path):
        if name.split(".")[0] == "invokeai_py_client":
            other = name.split(".")[1]
            assert other == room or FLOOR_OF[other] < FLOOR_OF[room], f"{room} must not import {name}"


@pytest.mark.parametrize(
    "path", [p for p in modules() if room_of(p) in PURE], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_a_pure_room_touches_no_thread_loop_or_socket(path: Path) -> None:
    assert not IMPURE_MODULES & set(imports(path))


def test_every_room_has_its_floor() -> None:
    assert {room_of(path) for path in modules()} == set(FLOOR_OF)
