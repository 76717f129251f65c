from __future__ import annotations

import subprocess
import sys

import pytest

import invokeai_py_client


def test_all_names_are_there_and_no_other_is() -> None:
    for name in invokeai_py_client.__all__:
        assert getattr(invokeai_py_client, name).__name__.rsplit(".", 1)[-1] == name
    assert set(invokeai_py_client.__all__) <= set(dir(invokeai_py_client))
    with pytest.raises(AttributeError, match="Nothing"):
        getattr(invokeai_py_client, "Nothing")  # noqa: B009 - type checkers must not see it


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = """
import sys
import invokeai_py_client
heavy = {"aiohttp", "socketio", "pydantic", "PIL", "rich", "asyncio"} & set(sys.modules)
print(sorted(heavy))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
