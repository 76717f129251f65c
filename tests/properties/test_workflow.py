"""Whatever is done to a workflow's JSON, only our errors come out, or a graph that can be sent."""

from __future__ import annotations

import contextlib
import copy
import gzip
import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invokeai_py_client.errors import InvokeAIError
from invokeai_py_client.workflow.batching import batch_data, batch_nodes, check_batches
from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.graph import build_graph, with_values
from invokeai_py_client.workflow.inputs import WorkflowFields, check_nodes, shown_inputs
from invokeai_py_client.workflow.outputs import boards_sent, map_outputs
from invokeai_py_client.workflow.templates import NodeTemplates

DATA = Path(__file__).parents[1] / "data"
TEMPLATES = NodeTemplates.from_openapi(json.loads(gzip.decompress((DATA / "openapi-6.14.2.json.gz").read_bytes())))
CASES = gzip.decompress((DATA / "gui_parity" / "cases.jsonl.gz").read_bytes()).decode()
WORKFLOWS = [json.loads(line)["workflow"] for line in CASES.splitlines()]

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["add", "denoise_latents", "invocation", "connector", "3.0.0", "image", "4.0.0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in steps:
        found += places(inner, (*at, key))
    return found


def put(document: Any, at: tuple[Any, ...], value: Any) -> None:
    for key in at[:-1]:
        document = document[key]
    document[at[-1]] = value


def drop(document: Any, at: tuple[Any, ...]) -> None:
    for key in at[:-1]:
        document = document[key]
    del document[at[-1]]


def look_at(document: dict[Any, Any], at: tuple[Any, ...]) -> Any:
    value: Any = document
    for key in at:
        value = value[key]
    return value


def use(document: Any) -> None:
    """All that is done to a document before it is sent."""
    definition = WorkflowDefinition.from_dict(document)
    fields = WorkflowFields(definition, TEMPLATES)
    shown = shown_inputs(definition, TEMPLATES, fields)
    edges, _ = kept_edges(definition, TEMPLATES)
    list(fields.of_models(edges))
    built = build_graph(definition, TEMPLATES, fields, edges)
    map_outputs(definition, TEMPLATES, shown, [], boards_sent(built.graph))
    batches = batch_nodes(definition, fields, edges)
    answers: dict[str, list[object]] = {b.node.id: [] for b in batches if not isinstance(b.items, list)}
    data = batch_data(batches, edges, answers)
    json.dumps([built.graph, data, with_values(definition, fields)], allow_nan=False)
    check_batches(batches, answers, source=None)
    nodes = built.graph["nodes"]
    for wire in built.graph["edges"]:
        assert wire["source"]["node_id"] in nodes
        assert wire["destination"]["field"] not in nodes[wire["destination"]["node_id"]]
    check_nodes(definition, TEMPLATES)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_broken_workflow_gives_our_errors_or_a_graph(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(WORKFLOWS)))
    for _ in range(data.draw(st.integers(1, 4))):
        spots = places(document)
        if not spots:
            break
        at = data.draw(st.sampled_from(spots))
        match data.draw(st.sampled_from(["drop", "replace", "move"])):
            case "drop":
                drop(document, at)
            case "replace":
                put(document, at, data.draw(anything))
            case "move":
                put(document, at, copy.deepcopy(look_at(document, data.draw(st.sampled_from(spots)))))
    with contextlib.suppress(InvokeAIError):
        use(document)


@given(document=anything)
def test_any_json_gives_our_errors(document: Any) -> None:
    with contextlib.suppress(InvokeAIError):
        use(document)


@given(text=st.text(max_size=200))
def test_any_text_gives_our_errors(text: str) -> None:
    with contextlib.suppress(InvokeAIError):
        WorkflowDefinition.from_json(text)


@given(document=st.dictionaries(st.sampled_from(["nodes", "edges", "meta", "form", "exposedFields", "name"]), anything))
def test_a_document_of_the_right_parts_gives_our_errors(document: Any) -> None:
    document.setdefault("meta", {"version": "3.0.0"})
    with contextlib.suppress(InvokeAIError):
        use(document)
