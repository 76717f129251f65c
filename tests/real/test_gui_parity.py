"""The 48 cases once more, as a user meets them: through a client of a real server."""

from __future__ import annotations

from typing import Any

import pytest
from tests.gui_parity import CASES, compare

from invokeai_py_client import InvokeAIClient, WorkflowDefinition


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_submission_is_what_the_web_ui_would_send(case: dict[str, Any], client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(case["workflow"]))
    expected = case["expected"]
    assert [[i.node_id, i.field_name] for i in wf.list_inputs()] == expected["inputs"]
    batch = wf._build_submission()["batch"]
    got, wanted = (
        compare.canonical(batch["graph"], batch["data"]),
        compare.canonical(expected["graph"], expected["data"]),
    )
    assert compare.differences(got, wanted) == []
