"""The graph, the batch data and the inputs that the web UI's own code makes of workflows, or that it refuses them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.gui_parity import CASES, GIVEN, compare, order

from invokeai_py_client.errors import BatchError, WorkflowFileError
from invokeai_py_client.workflow.batching import batch_data, batch_nodes
from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.graph import build_graph
from invokeai_py_client.workflow.inputs import shown_inputs
from invokeai_py_client.workflow.templates import NodeTemplates


def made(workflow: dict[str, Any], templates: NodeTemplates) -> dict[str, Any]:
    """What this client makes of a workflow."""
    definition = WorkflowDefinition.from_dict(workflow)
    fields = WorkflowFields(definition, templates)
    shown = shown_inputs(definition, templates, fields)
    edges, _ = kept_edges(definition, templates)
    graph = build_graph(definition, templates, fields, edges).graph
    data = batch_data(batch_nodes(definition, fields, edges), edges, {})
    return {"graph": graph, "data": data, "inputs": [[i.node_id, i.field_name] for i in shown]}


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_graph_batch_data_and_inputs_are_the_web_uis(case: dict[str, Any], templates: NodeTemplates) -> None:
    if case.get("refused"):
        with pytest.raises((WorkflowFileError, BatchError)):
            made(case["workflow"], templates)
        return
    ours, expected = made(case["workflow"], templates), case["expected"]
    got, wanted = (compare.canonical(one["graph"], one["data"]) for one in (ours, expected))
    assert compare.differences(got, wanted) == []
    assert order(ours["data"]) == order(expected["data"])
    assert ours["inputs"] == expected["inputs"]


def test_there_are_89_given_ones() -> None:
    assert len(GIVEN) == 89
