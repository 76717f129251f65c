"""A batch in a program of its own: Ctrl-C leaves what has been sent to the server, and another program goes on."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from tests.process.conftest import Start

from invokeai_py_client import InvokeAIClient, WorkflowDefinition
from invokeai_py_client.local import LocalServer

SECONDS = [0.05003 + n / 10_000 for n in range(40)]
"""Values that no item of another test on the same server has."""

PROGRAM = """
    import json, sys
    from invokeai_py_client import InvokeAIClient, WorkflowDefinition
    url, workflow, folder, seconds = sys.argv[1:]
    with InvokeAIClient.from_url(url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_json(workflow))
        batch = wf.plan({"Seconds": json.loads(seconds)}).submit(folder=folder)
        for row in batch.as_completed():
            print("finished", flush=True)
"""


def test_ctrl_c_leaves_a_batch_that_another_program_continues_with(
    start_program: Start, server: LocalServer, client: InvokeAIClient, sleep: dict[str, Any], tmp_path: Path
) -> None:
    sleep["nodes"][0]["data"]["inputs"]["steps"]["value"] = 1
    folder = tmp_path / "batch"
    program = start_program(PROGRAM, server.url, json.dumps(sleep), str(folder), json.dumps(SECONDS))
    assert program.stdout is not None
    assert program.stdout.readline() == "finished\n"
    program.send_signal(signal.SIGINT)
    _, errors = program.communicate(timeout=20)
    assert errors.splitlines()[-1] == "KeyboardInterrupt"

    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
    batch = wf.plan({"Seconds": SECONDS}).submit(folder=folder)
    assert batch.wait(60).counts["completed"] == len(SECONDS)
    items = client._make_request("GET", "/queue/default/list_all").json()
    given = [(item["status"], item["field_values"][0]["value"]) for item in items if item["field_values"]]
    ours = Counter((status, value) for status, value in given if value in SECONDS)
    assert ours == Counter(("completed", value) for value in SECONDS)
