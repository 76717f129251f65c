"""The examples in docstrings that need no server run as they stand."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

import invokeai_py_client

MODULES = [
    "files",
    "report.axes",
    "report.data_files",
    "runtime.engine",
    "secret",
    "settings",
    "wire.call",
    "wire.events",
    "workflow.document",
]


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module: str) -> None:
    loaded = importlib.import_module(f"invokeai_py_client.{module}")
    result = doctest.testmod(loaded)
    assert result.attempted > 0
    assert result.failed == 0


HARMFUL = re.compile(
    r"""
    client\.queue(\.aio)?\.(clear|prune|cancel_all|delete_all|cancel_by|delete_by)  # what others have enqueued
    | (add_images|remove_images|delete_images?|unstar_images?)\(\s*client\.         # whole lists of the gallery
    | delete_(board|model|workflow|uncategorized|intermediate)
    | \b(empty_model_cache|clear_intermediates|update_config)\(
    | install_model\((?![^)]*inplace=True)                                          # would move the user's file
    """,
    re.VERBOSE,
)


def test_no_example_harms_a_real_gallery_or_queue() -> None:
    root = Path(__file__).parents[2]
    examples = [
        (str(path.relative_to(root)), example)
        for path in (root / "src").rglob("*.py")
        for example in re.findall(r"^ *>>> .*(?:\n *\.\.\. .*)*", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    for path in [root / "README.md", *(root / "docs").rglob("*.md")]:
        blocks = re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
        examples += [(path.name, block) for block in blocks]
    assert len(examples) > 40
    assert [(name, example) for name, example in examples if HARMFUL.search(example)] == []


def test_every_public_name_is_in_the_reference() -> None:
    """Add `::: invokeai_py_client.NAME` to a page in `docs/reference` for a new one."""
    pages = (Path(__file__).parents[2] / "docs" / "reference").glob("*.md")
    described = [
        name for page in pages for name in re.findall(r"^::: invokeai_py_client\.(\w+)$", page.read_text(), re.M)
    ]
    # The page on errors is made from `errors`.
    assert sorted(described) == sorted({*invokeai_py_client.__all__} - {"__version__", "errors", "InvokeAIError"})
