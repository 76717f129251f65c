"""The graph, the batch data and the inputs that the web UI's own code makes of 48 workflows."""

from __future__ import annotations

from typing import Any

import pytest
from tests.gui_parity import CASES, compare

from invokeai_py_client.workflow.batching import batch_data, batch_nodes
from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.graph import build_graph
from invokeai_py_client.workflow.inputs import WorkflowFields, shown_inputs
from invokeai_py_client.workflow.templates import NodeTemplates


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_graph_batch_data_and_inputs_are_the_web_uis(case: dict[str, Any], templates: NodeTemplates) -> None:
    definition = WorkflowDefinition.from_dict(case["workflow"])
    fields = WorkflowFields(definition, templates)
    expected = case["expected"]
    shown = shown_inputs(definition, templates, fields)
    assert [[i.node_id, i.field_name] for i in shown] == expected["inputs"]
    edges, _ = kept_edges(definition, templates)
    graph = build_graph(definition, templates, fields, edges).graph
    data = batch_data(batch_nodes(definition, fields, edges), edges, {})
    got, wanted = compare.canonical(graph, data), compare.canonical(expected["graph"], expected["data"])
    assert compare.differences(got, wanted) == []


def test_there_are_48() -> None:
    assert len(CASES) == 48
