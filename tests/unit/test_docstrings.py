"""The examples in docstrings that need no server run as they stand."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = ["files", "settings", "wire.call", "wire.events", "workflow.document", "runtime.engine"]


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module: str) -> None:
    loaded = importlib.import_module(f"invokeai_py_client.{module}")
    result = doctest.testmod(loaded)
    assert result.attempted > 0
    assert result.failed == 0
