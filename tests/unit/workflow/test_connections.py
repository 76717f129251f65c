from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.templates import NodeTemplates

Wire = tuple[str, str, str, str]


def warnings_of(templates: NodeTemplates, nodes: dict[str, str], wires: list[Wire]) -> tuple[list[Wire], list[str]]:
    """The wires that are kept, and why the others are not."""

    def node(node_id: str, node_type: str) -> dict[str, Any]:
        if node_type in {"connector", "notes"}:
            return {"id": node_id, "type": node_type, "data": {"id": node_id, "type": node_type}}
        return {"id": node_id, "type": "invocation", "data": {"type": node_type, "version": "1.0.0", "inputs": {}}}

    document = {
        "meta": {"version": "3.0.0"},
        "nodes": [node(*pair) for pair in nodes.items()],
        "edges": [
            {"id": str(n), "type": "default", "source": a, "sourceHandle": b, "target": c, "targetHandle": d}
            for n, (a, b, c, d) in enumerate(wires)
        ],
    }
    edges, warnings = kept_edges(WorkflowDefinition.from_dict(document), templates)
    return [(e.source, e.source_field, e.target, e.target_field) for e in edges], [*map(str, warnings)]


NODES = {
    "int": "rand_int",
    "int2": "rand_int",
    "float": "rand_float",
    "add": "add",
    "add2": "add",
    "text": "string_join",
    "image": "blank_image",
    "blur": "img_blur",
    "collect": "collect",
    "collect2": "collect",
    "iterate": "iterate",
    "if": "if",
    "note": "notes",
    "c1": "connector",
    "c2": "connector",
    "c3": "connector",
    "batch": "integer_batch",
}


@pytest.mark.parametrize(
    ("wires", "why"),
    [
        ([("int", "value", "add", "a"), ("int", "value", "add", "a")], "it is a duplicate"),
        ([("add", "value", "add", "a")], "connects a node to itself"),
        ([("int", "value", "add", "a"), ("int2", "value", "add", "a")], "'a' already has an edge"),
        ([("image", "image", "add", "a")], "ImageField cannot feed IntegerField"),
        ([("float", "value", "add", "a")], "FloatField cannot feed IntegerField"),
        ([("add", "value", "add2", "a"), ("add2", "value", "add", "a")], "would close a loop"),
        ([("note", "x", "add", "a")], "a notes has no outputs"),
        ([("int", "value", "note", "x")], "a notes has no input 'x'"),
        ([("int", "value", "batch", "batch_group_id")], "'batch_group_id' does not accept an edge"),
        (
            [("int", "value", "collect", "item"), ("image", "image", "collect", "item")],
            "the collect contains IntegerField",
        ),
        (
            [
                ("int", "value", "collect", "item"),
                ("image", "image", "collect2", "item"),
                ("collect", "collection", "collect2", "collection"),
            ],
            "the collect contains ImageField, not IntegerField",
        ),
        ([("int", "value", "if", "true_input"), ("image", "image", "if", "false_input")], "must have compatible types"),
        ([("image", "image", "if", "true_input"), ("if", "value", "add", "a")], "ImageField cannot feed IntegerField"),
        ([("int", "value", "c1", "in"), ("c1", "out", "blur", "image")], "IntegerField cannot feed ImageField"),
        ([("c1", "out", "blur", "image"), ("int", "value", "c1", "in")], "IntegerField cannot feed ImageField"),
        (
            [("c1", "out", "c2", "in"), ("c2", "out", "blur", "image"), ("int", "value", "c1", "in")],
            "IntegerField cannot feed ImageField",
        ),
        ([("int", "value", "c1", "in"), ("int2", "value", "c1", "in")], "the connector already has a source"),
        ([("c1", "out", "add", "a"), ("c1", "out", "blur", "image")], "have no common type"),
        ([("c1", "nope", "add", "a")], "a connector has no 'nope'"),
        ([("int", "value", "c1", "nope")], "a connector has no 'nope'"),
    ],
)
def test_the_last_edge_does_not_hold(templates: NodeTemplates, wires: list[Wire], why: str) -> None:
    kept, warnings = warnings_of(templates, NODES, wires)
    assert kept == wires[:-1]
    (warning,) = warnings
    assert why in warning
    assert f"{wires[-1][0]}.{wires[-1][1]} -> {wires[-1][2]}.{wires[-1][3]}" in warning


@pytest.mark.parametrize(
    "wires",
    [
        [("int", "value", "add", "a"), ("int", "value", "add", "b"), ("add", "value", "text", "string_left")],
        [("int", "value", "collect", "item"), ("int2", "value", "collect", "item")],
        [("collect", "collection", "iterate", "collection"), ("iterate", "item", "blur", "image")],
        [("collect", "collection", "collect2", "collection")],
        [("int", "value", "if", "true_input"), ("int2", "value", "if", "false_input"), ("if", "value", "add", "a")],
        [("if", "value", "add", "a")],
        [("int", "value", "c1", "in"), ("c1", "out", "c2", "in"), ("c2", "out", "add", "a"), ("c2", "out", "add", "b")],
        [("c1", "out", "add", "a"), ("c1", "out", "add", "b"), ("int", "value", "c1", "in")],
        [("c1", "out", "c2", "in"), ("c2", "out", "c3", "in"), ("c3", "out", "c1", "in")],
        [
            ("c1", "out", "c2", "in"),
            ("c2", "out", "c3", "in"),
            ("c3", "out", "c1", "in"),
            ("c3", "out", "add", "a"),
            ("c1", "out", "add", "b"),
            ("c2", "out", "add2", "a"),
        ],
    ],
)
def test_edges_that_hold(templates: NodeTemplates, wires: list[Wire]) -> None:
    assert warnings_of(templates, NODES, wires) == (wires, [])


@pytest.mark.parametrize(
    ("wires", "dropped", "why"),
    [
        # What feeds a chain must suit all that the chain leads to, wherever it branches.
        (
            [
                ("c1", "out", "c2", "in"),
                ("c1", "out", "add", "a"),
                ("c2", "out", "c3", "in"),
                ("c3", "out", "text", "string_left"),
                ("float", "value", "c1", "in"),
                ("int", "value", "c1", "in"),
            ],
            [4],
            "FloatField cannot feed IntegerField",
        ),
        # An input behind a connector is taken by what feeds the chain, so a second edge does not fit.
        (
            [("int", "value", "c1", "in"), ("c1", "out", "add", "a"), ("int2", "value", "add", "a")],
            [2],
            "'a' already has an edge",
        ),
        # Chains are seen through when it comes to loops.
        (
            [("add", "value", "c1", "in"), ("c1", "out", "c2", "in"), ("c2", "out", "add", "a")],
            [2],
            "would close a loop",
        ),
        (
            [("c1", "out", "add", "a"), ("add", "value", "c2", "in"), ("c2", "out", "c1", "in")],
            [2],
            "",
        ),
        # What an `if` gives on is what it gets, also behind a connector.
        (
            [("image", "image", "c1", "in"), ("c1", "out", "if", "true_input"), ("if", "value", "add", "a")],
            [2],
            "ImageField cannot feed IntegerField",
        ),
        # A collect that goes on from another holds what that one does, however long the chain.
        (
            [
                ("int", "value", "collect", "item"),
                ("collect", "collection", "collect2", "collection"),
                ("collect2", "collection", "iterate", "collection"),
                ("image", "image", "collect2", "item"),
            ],
            [3],
            "the collect contains IntegerField, not ImageField",
        ),
        (
            [
                ("collect", "collection", "collect2", "collection"),
                ("image", "image", "collect2", "item"),
                ("int", "value", "collect", "item"),
            ],
            [],
            "",
        ),
        # An output that the node's type does not have feeds nothing.
        (
            [("batch", "integers", "collect", "collection"), ("image", "image", "collect", "item")],
            [0],
            "has no output 'integers'",
        ),
    ],
)
def test_edges_are_checked_in_file_order_against_those_kept(
    templates: NodeTemplates, wires: list[Wire], dropped: list[int], why: str
) -> None:
    kept, warnings = warnings_of(templates, NODES, wires)
    assert [place for place, wire in enumerate(wires) if wire not in kept] == dropped
    assert len(warnings) == len(dropped)
    assert all(why in warning for warning in warnings)
