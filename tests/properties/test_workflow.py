"""Whatever is done to a workflow's JSON, only our errors come out, or a graph that can be sent."""

from __future__ import annotations

import contextlib
import copy
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invokeai_py_client.errors import InputValueError, InvokeAIError
from invokeai_py_client.workflow.batching import batch_data, batch_nodes
from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.graph import build_graph, with_values
from invokeai_py_client.workflow.input_table import input_table
from invokeai_py_client.workflow.inputs import WorkflowFields, WorkflowInput, shown_inputs
from invokeai_py_client.workflow.outputs import boards_sent, map_outputs
from invokeai_py_client.workflow.readiness import batch_problems, check_ready, input_problems
from invokeai_py_client.workflow.references import Reference, references_in, with_answers
from invokeai_py_client.workflow.server_things import things_named
from invokeai_py_client.workflow.templates import NodeTemplates

DATA = Path(__file__).parents[1] / "data"
TEMPLATES = NodeTemplates.from_openapi(json.loads(gzip.decompress((DATA / "openapi-6.14.2.json.gz").read_bytes())))
CASES = gzip.decompress((DATA / "gui_parity" / "cases.jsonl.gz").read_bytes()).decode()
WORKFLOWS = [json.loads(line)["workflow"] for line in CASES.splitlines()]

HUGE = "a number that only the text of a JSON file can hold"

NAMES = [*TEMPLATES, "invocation", "connector", "notes", "current_image", "workflow_inputs", "core_metadata", "3.0.0"]
NAMES += ["1.0.0", "4.0.0", "image", "value", "collection", "item", "in", "out", "saved_workflow_input::a", "__proto__"]


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.just(HUGE)
    | st.sampled_from([90, 110, 900]).map(nested)
    | st.sampled_from(NAMES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if len(at) < 20:
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


def rename(document: Any, at: tuple[Any, ...], name: str) -> None:
    holder = look_at(document, at[:-1])
    if isinstance(holder, dict):
        holder[name] = holder.pop(at[-1])


def rewire(document: Any, data: st.DataObject) -> None:
    """Let an edge begin or end somewhere else, or add one."""
    edges = document.get("edges")
    if not isinstance(edges, list) or not edges or not all(isinstance(edge, dict) for edge in edges):
        return
    edge = copy.deepcopy(data.draw(st.sampled_from(edges)))
    other = data.draw(st.sampled_from(edges))
    end = data.draw(st.sampled_from(["source", "target", "sourceHandle", "targetHandle", "type"]))
    edge[end] = other.get(data.draw(st.sampled_from(["source", "target", "sourceHandle", "targetHandle", "type"])))
    edges.append(edge)


def retype(document: Any, data: st.DataObject) -> None:
    """Make a node one of another type, or of another version."""
    nodes = document.get("nodes")
    node = data.draw(st.sampled_from(nodes)) if isinstance(nodes, list) and nodes else None
    if isinstance(node, dict) and isinstance(node.get("data"), dict):
        node["data"]["type"] = data.draw(st.sampled_from(NAMES))
        node["data"]["version"] = data.draw(st.sampled_from(["1.0.0", "1.2.1", "2.0.0", "x", None]))


def loaded(document: Any) -> WorkflowDefinition:
    """As a file would be, where a number may be larger than any float."""
    return WorkflowDefinition.from_json(json.dumps(document).replace(json.dumps(HUGE), "1e999"))


def use(definition: WorkflowDefinition, assign: Callable[[WorkflowInput], None] = lambda shown: None) -> None:
    """All that is done to a document before it is sent."""
    fields = WorkflowFields(definition, TEMPLATES)
    shown = shown_inputs(definition, TEMPLATES, fields)
    for entry in shown:
        with contextlib.suppress(InputValueError):
            assign(entry)
    str(input_table(shown))
    edges, _ = kept_edges(definition, TEMPLATES)
    list(fields.of_models(edges))
    list(things_named(definition, TEMPLATES, fields, edges))
    problems = input_problems(definition, TEMPLATES, fields)
    built = build_graph(definition, TEMPLATES, fields, edges)
    map_outputs(definition, TEMPLATES, shown, [], boards_sent(built.graph))
    batches = batch_nodes(definition, fields, edges)
    answers: dict[str, list[object]] = {b.node.id: [] for b in batches if not isinstance(b.items, list)}
    body = [built.graph, batch_data(batches, edges, answers), with_values(definition, fields)]
    stand_ins: dict[Reference, dict[str, str]] = {reference: {"stands": "in"} for reference in references_in(body)}
    json.dumps(with_answers(body, stand_ins), allow_nan=False)
    problems += batch_problems(batches, fields, answers)
    nodes = built.graph["nodes"]
    for wire in built.graph["edges"]:
        assert wire["source"]["node_id"] in nodes
        assert wire["destination"]["field"] not in nodes[wire["destination"]["node_id"]]
    check_ready(problems, definition=definition, templates=TEMPLATES)


@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_broken_workflow_gives_our_errors_or_a_graph(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(WORKFLOWS)))
    for _ in range(data.draw(st.integers(1, 4))):
        spots = places(document)
        if not spots:
            break
        at = data.draw(st.sampled_from(spots))
        match data.draw(st.sampled_from(["drop", "rename", "retype", "rewire", "replace", "move"])):
            case "drop":
                drop(document, at)
            case "rename":
                rename(document, at, data.draw(st.sampled_from(NAMES)))
            case "retype":
                retype(document, data)
            case "rewire":
                rewire(document, data)
            case "replace":
                put(document, at, data.draw(anything))
            case "move":
                put(document, at, copy.deepcopy(look_at(document, data.draw(st.sampled_from(spots)))))
    values = data.draw(st.lists(anything, max_size=3))

    def assign(shown: WorkflowInput) -> None:
        if values:
            shown.value = values[len(shown.label) % len(values)]

    with contextlib.suppress(InvokeAIError):
        use(loaded(document), assign)
    with contextlib.suppress(InvokeAIError):
        use(WorkflowDefinition.from_dict(document))


@given(document=anything)
def test_any_json_gives_our_errors(document: Any) -> None:
    with contextlib.suppress(InvokeAIError):
        use(WorkflowDefinition.from_dict(document))


@given(text=st.text(max_size=200))
def test_any_text_gives_our_errors(text: str) -> None:
    with contextlib.suppress(InvokeAIError):
        WorkflowDefinition.from_json(text)


@given(document=st.dictionaries(st.sampled_from(["nodes", "edges", "meta", "form", "exposedFields", "name"]), anything))
def test_a_document_of_the_right_parts_gives_our_errors(document: Any) -> None:
    document.setdefault("meta", {"version": "3.0.0"})
    with contextlib.suppress(InvokeAIError):
        use(WorkflowDefinition.from_dict(document))
