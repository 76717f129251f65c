"""The given parity cases once more, as a user meets them: through a client of a real server."""

from __future__ import annotations

from typing import Any

import pytest
from tests.gui_parity import GIVEN, compare, order

from invokeai_py_client import InvokeAIClient, WorkflowDefinition
from invokeai_py_client.errors import BatchError, WorkflowFileError


def made(case: dict[str, Any], client: InvokeAIClient) -> tuple[list[list[str]], dict[str, Any]]:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(case["workflow"]))
    return [[i.node_id, i.field_name] for i in wf.list_inputs()], wf._build_submission()["batch"]


@pytest.mark.parametrize("case", GIVEN, ids=[case["case"] for case in GIVEN])
def test_a_submission_is_what_the_web_ui_would_send(case: dict[str, Any], client: InvokeAIClient) -> None:
    if case.get("refused"):
        with pytest.raises((WorkflowFileError, BatchError)):
            made(case, client)
        return
    expected = case["expected"]
    inputs, batch = made(case, client)
    assert inputs == expected["inputs"]
    got, wanted = (compare.canonical(one["graph"], one["data"]) for one in (batch, expected))
    assert compare.differences(got, wanted) == []
    assert order(batch["data"]) == order(expected["data"])
