"""Which inputs make a run random."""

from __future__ import annotations

from typing import Any

import pytest
from tests.documents import edge, node

from invokeai_py_client.errors import InputNotFoundError
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.inputs import shown_inputs
from invokeai_py_client.workflow.seeds import require_seed_inputs, seed_inputs
from invokeai_py_client.workflow.templates import NodeTemplates

RANDOM = node("random", "rand_int", "1.0.1", low=0, high=10)
NOISE = node("noise", "noise", "1.0.3", seed=5, width=64, height=64)
ADD = node("add", "add", "1.0.1", a=1, b=2)
METADATA = node("meta", "core_metadata", "2.1.0", seed=5)
BLUR = node("blur", "img_blur", "1.2.2", radius=2)
CONNECTOR = {"id": "via", "type": "connector", "position": {"x": 0, "y": 0}, "data": {"id": "via", "type": "connector"}}


def seeds(templates: NodeTemplates, *nodes: dict[str, Any], edges: tuple[dict[str, str], ...] = ()) -> list[str]:
    definition, fields = loaded(templates, *nodes, edges=edges)
    found = seed_inputs(definition, fields, shown_inputs(definition, templates, fields))
    return [f"{one.node_id}.{one.field_name}" for one in found]


def loaded(
    templates: NodeTemplates, *nodes: dict[str, Any], edges: tuple[dict[str, str], ...] = ()
) -> tuple[WorkflowDefinition, WorkflowFields]:
    document = {"name": "w", "meta": {"version": "3.0.0"}, "nodes": [*nodes], "edges": [*edges]}
    definition = WorkflowDefinition.from_dict(document)
    return definition, WorkflowFields(definition, templates)


def test_an_integer_named_seed_without_an_edge_is_one(templates: NodeTemplates) -> None:
    assert seeds(templates, NOISE, ADD, BLUR) == ["noise.seed"]


def test_a_random_node_makes_a_seed_of_whatever_integer_it_feeds(templates: NodeTemplates) -> None:
    edges = (edge("random", "value", "noise", "seed"), edge("random", "value", "add", "a"))
    assert seeds(templates, RANDOM, ADD, NOISE, edges=edges) == ["add.a", "noise.seed"]


def test_a_random_node_is_found_behind_connectors(templates: NodeTemplates) -> None:
    edges = (edge("random", "value", "via", "in"), edge("via", "out", "noise", "seed"))
    assert seeds(templates, RANDOM, NOISE, CONNECTOR, edges=edges) == ["noise.seed"]


def test_a_seed_that_another_node_feeds_is_not_one(templates: NodeTemplates) -> None:
    assert seeds(templates, ADD, NOISE, edges=(edge("add", "value", "noise", "seed"),)) == []


def test_metadata_that_names_the_seed_makes_nothing_random(templates: NodeTemplates) -> None:
    assert seeds(templates, METADATA, BLUR) == []
    assert seeds(templates, METADATA, NOISE) == ["meta.seed", "noise.seed"]


def test_an_edge_that_a_value_replaces_leaves_a_seed(templates: NodeTemplates) -> None:
    definition, fields = loaded(templates, ADD, NOISE, edges=(edge("add", "value", "noise", "seed"),))
    inputs = shown_inputs(definition, templates, fields)
    inputs["noise", "seed"].set(7, override_edge=True)
    assert [one.node_id for one in seed_inputs(definition, fields, inputs)] == ["noise"]


def test_a_workflow_without_a_seed_says_so(templates: NodeTemplates) -> None:
    definition, fields = loaded(templates, BLUR)
    with pytest.raises(InputNotFoundError, match="w has no seed"):
        require_seed_inputs(definition, fields, shown_inputs(definition, templates, fields))


def test_a_workflow_whose_seed_another_node_gives_names_the_node(templates: NodeTemplates) -> None:
    definition, fields = loaded(templates, ADD, NOISE, edges=(edge("add", "value", "noise", "seed"),))
    with pytest.raises(InputNotFoundError, match=r"Its seeds come from add \(add\)"):
        require_seed_inputs(definition, fields, shown_inputs(definition, templates, fields))
