"""The documentation site: docstrings and pages are read without a warning, all is there, and no network is needed."""

from __future__ import annotations

import inspect
import logging
import re
import zlib
from pathlib import Path

import griffe
import pytest

import invokeai_py_client
from invokeai_py_client import errors


def names_in_the_inventory(site: Path) -> set[str]:
    compressed = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    return {line.split(" ")[0] for line in zlib.decompress(compressed).decode().splitlines()}


def test_all_errors_and_public_methods_are_described(site: Path) -> None:
    described = names_in_the_inventory(site)
    wanted = {f"errors.{name}" for name in errors.__all__}
    for name in invokeai_py_client.__all__:
        value = getattr(invokeai_py_client, name)
        # Awaited classes are listed; their methods are described with the blocking ones.
        if inspect.isclass(value) and not name.startswith("Async"):
            functions = inspect.getmembers(value, inspect.isfunction)
            wanted |= {f"{name}.{method}" for method, one in functions if is_ours(method, one)}
    assert len(wanted) > 400
    assert sorted(name for name in wanted if f"invokeai_py_client.{name}" not in described) == []


def test_no_private_name_is_described(site: Path) -> None:
    names = {name.rpartition(".")[2] for name in names_in_the_inventory(site)}
    assert {name for name in names if name.startswith("_")} == {"__getitem__"}


def is_ours(name: str, function: object) -> bool:
    is_of_the_package = getattr(function, "__module__", "").startswith(invokeai_py_client.__name__)
    return not name.startswith("_") and is_of_the_package


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|link|iframe)[^>]* (?:src|href)=[\"']?(https?:[^\"' >]+)", text)
        assert [url for url in loaded if not url.startswith("https://example.org/")] == [], path


def test_the_command_line_page_has_every_command(site: Path) -> None:
    page = (site / "command-line.html").read_text(encoding="utf-8")
    for command in ("run", "jobs list", "models install"):
        assert f"$ invokeai-client {command} " in re.sub(r"<[^>]+>", "", page)


def parse_docstrings(scope: griffe.Object) -> int:
    """Parse the docstrings of a module or class and of all in it; return how many there are."""
    parsed = [] if scope.docstring is None else [scope.docstring.parse("google")]
    own = [member for member in scope.members.values() if isinstance(member, griffe.Object)]
    return len(parsed) + sum(map(parse_docstrings, own))


def test_the_documentation_tool_understands_every_docstring(caplog: pytest.LogCaptureFixture) -> None:
    source = Path(invokeai_py_client.__file__).parents[1]
    package = griffe.load("invokeai_py_client", search_paths=[source], allow_inspection=False)
    assert isinstance(package, griffe.Object)
    with caplog.at_level(logging.WARNING, logger="griffe"):
        assert parse_docstrings(package) > 2000
    assert [record.getMessage() for record in caplog.records] == []
