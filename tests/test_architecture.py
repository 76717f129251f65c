"""The house keeps its floors: a room imports only what lies below it, or in its own folder."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "invokeai_py_client"

FLOORS = [
    {"earlier_names", "errors", "secret"},
    {"files", "fixed_attributes", "json_text", "lazy_modules", "mapping", "notebook", "pillow", "proxies"},
    {"settings", "local", "wire", "workflow", "report"},
    {"codegen", "option_checks", "runtime"},
    {"transport", "transfers"},
    {"image", "live", "catalog"},
    {"run", "enqueue_body"},
    {"batch"},
    {"workflow_handle"},
    {"repositories"},
    {"async_client"},
    {"blocking"},
    {"client"},
    {"earlier", "patterns", "fleet"},
    {"cli"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

LAZY = {"async_client", "blocking", "cli", "earlier", "fleet", "workflow_handle"}
"""What takes names from the package itself, so that they are imported when they are first used."""

DATA_ONLY: dict[str, set[str]] = {"notebook": set(), "report": {"errors", "files", "pillow"}}
"""Rooms that take plain data, and import nothing of the package but these."""

PURE = ("wire", "workflow", "codegen", "live/state")
"""Folders without input, output, threads and loops. They import nothing of the package but each other and the base."""

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
            other = name.partition(".")[2].partition(".")[0]
            if not other:
                # The package itself, which imports the module of a name when it is first used.
                assert room in LAZY, f"{room} must not import {name}"
                continue
            assert other == room or FLOOR_OF[other] < FLOOR_OF[room], f"{room} must not import {name}"


@pytest.mark.parametrize("room", DATA_ONLY)
def test_a_room_of_plain_data_knows_neither_client_nor_server(room: str) -> None:
    names = {name for path in modules() if room_of(path) == room for name in imports(path)}
    ours = {name.split(".")[1] for name in names if name.startswith("invokeai_py_client.")}
    assert ours - {room} == DATA_ONLY[room]


def pure_modules() -> list[Path]:
    return [path for path in modules() if path.relative_to(PACKAGE).as_posix().startswith(tuple(f"{p}/" for p in PURE))]


@pytest.mark.parametrize("path", pure_modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_pure_room_touches_no_thread_loop_or_socket(path: Path) -> None:
    names = set(imports(path))
    assert not IMPURE_MODULES & names
    base = (*FLOORS[0], *FLOORS[1], *(pure.replace("/", ".") for pure in PURE))
    ours = {name.removeprefix("invokeai_py_client.") for name in names if name.startswith("invokeai_py_client.")}
    assert {name for name in ours if not name.startswith(base)} == set()


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_command_line_needs_its_libraries(path: Path) -> None:
    allowed = {"cli": {"click", "rich", "textual_image"}}.get(room_of(path), set())
    assert {name.split(".")[0] for name in imports(path)} & {"click", "rich", "textual_image"} <= allowed


def test_every_room_has_its_floor() -> None:
    assert {room_of(path) for path in modules()} == set(FLOOR_OF)
