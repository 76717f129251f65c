from __future__ import annotations

import subprocess
import sys

import pytest
from tests.support.scripted_server import WORKFLOW, ScriptedServer, whole_story

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
heavy = {"aiohttp", "pydantic", "PIL", "rich", "asyncio"} & set(sys.modules)
print(sorted(heavy))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_importing_the_client_imports_neither_its_libraries_nor_its_repositories() -> None:
    code = """
import sys
from invokeai_py_client import InvokeAIClient
heavy = {"aiohttp", "pydantic", "PIL", "rich"} & set(sys.modules)
print(sorted(heavy), sorted(name for name in sys.modules if "repositories" in name))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] []\n"


def test_running_a_workflow_imports_nothing_that_it_does_not_need() -> None:
    code = """
import sys
from invokeai_py_client import InvokeAIClient, WorkflowDefinition
with InvokeAIClient.from_url(sys.argv[1]) as client:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(eval(sys.argv[2])))
    print(wf.submit_sync().wait(20).status)
print(sorted({"pydantic", "PIL", "rich"} & set(sys.modules)))
rooms = {name.split(".")[1] for name in sys.modules if name.startswith("invokeai_py_client.")}
print(sorted({"batch", "cli", "demo", "local", "notebook", "patterns", "report"} & rooms))
"""

    async def complete(server: ScriptedServer, item_id: int, batch_id: str) -> None:
        await server.play_all(whole_story(item_id, batch_id))

    with ScriptedServer(complete) as server:
        command = [sys.executable, "-c", code, server.url, repr(WORKFLOW)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "completed\n[]\n[]\n"


def test_the_demo_says_what_it_does_before_it_does_anything() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "invokeai_py_client.cli.demo", "--help"], capture_output=True, text=True, check=True
    )
    assert "INVOKEAI_URL" in done.stdout
    wrong = subprocess.run(
        [sys.executable, "-m", "invokeai_py_client.cli.demo", "--fast"], capture_output=True, text=True, check=False
    )
    assert (wrong.returncode, wrong.stdout) == (2, "")
