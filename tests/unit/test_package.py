from __future__ import annotations

import subprocess
import sys

import pytest

import invokeai_py_client


def test_all_names_are_there_and_no_other_is() -> None:
    assert all(hasattr(invokeai_py_client, name) for name in invokeai_py_client.__all__)
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


def test_the_demo_says_what_it_does_before_it_does_anything() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "invokeai_py_client.demo", "--help"], capture_output=True, text=True, check=True
    )
    assert "INVOKEAI_URL" in done.stdout
    wrong = subprocess.run(
        [sys.executable, "-m", "invokeai_py_client.demo", "--fast"], capture_output=True, text=True, check=False
    )
    assert (wrong.returncode, wrong.stdout) == (2, "")
