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


def test_importing_the_client_imports_neither_its_libraries_nor_its_repositories() -> None:
    code = """
import sys
from invokeai_py_client import InvokeAIClient
heavy = {"aiohttp", "socketio", "engineio", "tornado", "pydantic", "PIL", "rich"} & set(sys.modules)
print(sorted(heavy), sorted(name for name in sys.modules if "repositories" in name))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] []\n"


def test_a_client_that_is_made_has_not_imported_the_socket_library() -> None:
    code = """
import sys
from invokeai_py_client import InvokeAIClient
with InvokeAIClient.from_url("http://127.0.0.1:9") as client:
    client.image_repo
print(sorted({"socketio", "engineio"} & set(sys.modules)))
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
