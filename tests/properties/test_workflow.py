"""Whatever is done to a workflow's JSON, only our errors come out, or a graph that can be sent."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gui_parity import GIVEN
from tests.support.openapi import node_templates

from invokeai_py_client.errors import InputValueError, InvokeAIError
from invokeai_py_client.workflow.acyclic_order import has_loop
from invokeai_py_client.workflow.batching import batch_data, batch_nodes
from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.generators import generate
from invokeai_py_client.workflow.graph import build_graph, with_values
from invokeai_py_client.workflow.input_table import input_table
from invokeai_py_client.workflow.inputs import WorkflowInput, shown_inputs
from invokeai_py_client.workflow.named_resources import named_resources
from invokeai_py_client.workflow.old_formats import FORMAT_1_TYPES, FORMAT_2_TYPES, read_format_2
from invokeai_py_client.workflow.outputs import boards_sent, map_outputs
from invokeai_py_client.workflow.readiness import batch_problems, check_ready, input_problems
from invokeai_py_client.workflow.references import Reference, references_in, with_resolved
from invokeai_py_client.workflow.saved_values import GENERATORS, saved_value
from invokeai_py_client.workflow.type_compatibility import can_feed

TEMPLATES = node_templates()
WORKFLOWS = [case["workflow"] for case in GIVEN]

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
    | st.sampled_from([10**400, -(10**400), 2**53, 2**60 + 1])
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


Payload = tuple[dict[str, Any], list[list[dict[str, Any]]], list[tuple[str, str]]]


def use(definition: WorkflowDefinition, assign: Callable[[WorkflowInput], None] = lambda shown: None) -> Payload:
    """Do all that is done to a document before it is sent; return its graph, batch data and inputs."""
    fields = WorkflowFields(definition, TEMPLATES)
    shown = shown_inputs(definition, TEMPLATES, fields)
    for entry in shown:
        with contextlib.suppress(InputValueError):
            assign(entry)
    str(input_table(shown))
    edges, _ = kept_edges(definition, TEMPLATES)
    list(fields.of_models(edges))
    list(named_resources(definition, TEMPLATES, fields, edges))
    problems = input_problems(definition, TEMPLATES, fields)
    built = build_graph(definition, TEMPLATES, fields, edges)
    map_outputs(definition, TEMPLATES, shown, [], boards_sent(built.graph))
    batches = batch_nodes(definition, fields, edges)
    answers: dict[str, list[object]] = {b.node.id: [] for b in batches if not isinstance(b.items, list)}
    data = batch_data(batches, edges, answers)
    body = [built.graph, data, with_values(definition, fields)]
    stand_ins: dict[Reference, dict[str, str]] = {reference: {"stands": "in"} for reference in references_in(body)}
    json.dumps(with_resolved(body, stand_ins), allow_nan=False)
    problems += batch_problems(batches, fields, answers)
    nodes = built.graph["nodes"]
    for wire in built.graph["edges"]:
        assert wire["source"]["node_id"] in nodes
        assert wire["destination"]["field"] not in nodes[wire["destination"]["node_id"]]
    ends: dict[str, list[str]] = {}
    for wire in built.graph["edges"]:
        ends.setdefault(wire["source"]["node_id"], []).append(wire["destination"]["node_id"])
    # The web UI tells edges apart by their ids, and finds no loops among edges with the same id.
    assert not has_loop(ends) or len({edge.id for edge in definition.edges}) < len(definition.edges)
    with contextlib.suppress(InvokeAIError):
        check_ready(problems, definition=definition, templates=TEMPLATES)
    return built.graph, data, [(entry.node_id, entry.field_name) for entry in shown]


def outcome(document: Any) -> Payload | None:
    """What is made of a document; None if it is refused by one of our errors."""
    try:
        return use(WorkflowDefinition.from_dict(document))
    except InvokeAIError:
        return None


# Documents whose parts are all right, with values, ids and edges that are not.

MODEL = {"key": "k", "hash": "h", "name": "n", "base": "sd-1", "type": "main"}
OLD_MODEL = {"model_name": "dreamshaper", "base_model": "sd-1", "model_type": "main"}
KINDS = ("float", "integer", "string", "image")
NODE_TYPES = [
    *(f"{kind}_{part}" for kind in KINDS for part in ("batch", "generator")),
    *("add", "integer", "float", "string", "image", "collect", "iterate", "if", "noise", "img_blur", "save_image"),
    *("image_collection", "core_metadata", "call_saved_workflow", "main_model_loader", "ip_adapter", "no_such_node"),
    "workflow_return",
]
OLD_TYPES = sorted(FORMAT_1_TYPES)
numbers = st.sampled_from([0, 1, -1, 3.0, 0.5, 255, 256, 2**53, 2**60 + 1, 10**400, -(10**400), 1e300])
texts = st.sampled_from(
    ["", " ", "a", " a ", "\ufeffa", "euler", "auto", "none", "1,2", "\u0663", "1e400", "None", "Group 1"]
)
one_model = st.builds(
    lambda change: {**MODEL, **change},
    st.sampled_from(
        [{}, {"base": "sd-99"}, {"type": "x"}, {"submodel_type": "x"}, {"submodel_type": None}, {"name": " "}]
    ),
)


def generator_of(kind: str | None, parts: dict[str, Any]) -> dict[str, Any]:
    value = {**({"type": kind} if kind else {}), **parts}
    if "random_distribution" in str(kind) and value.get("seed") is None:
        # Without a seed no two readings would make the same numbers.
        value["seed"] = 5
    return value


one_generator = st.builds(
    generator_of,
    st.sampled_from([*sorted(GENERATORS), None, "x"]),
    st.dictionaries(
        st.sampled_from(
            ["start", "step", "end", "count", "min", "max", "seed", "input", "splitOn", "values", "board_id"]
        ),
        st.sampled_from([0, 1, 3, 2.0, -1, 0.5, 10**400, None, "1,2", "", "\\", [1], ["a"]]),
        max_size=4,
    ),
)
odd_values = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    texts,
    st.lists(numbers, max_size=3),
    st.lists(texts, max_size=2),
    one_model,
    one_generator,
    st.sampled_from([OLD_MODEL, {**OLD_MODEL, "model_name": "ab"}, {}, [None], [[1]], {"image_name": " a "}]),
    st.sampled_from([{"board_id": ""}, {"r": 1, "g": 2, "b": 3, "a": 256}, [{"image_name": "a"}], [{"a": 1}]]),
    st.builds(lambda model: [{"lora": model, "weight": 1}], one_model),
)
blanks = st.sampled_from(["", "", "", " ", "\t", "\u00a0", "\ufeff", "\x1c"])
ids = st.sampled_from([f"n{i}" for i in range(7)])
blank_ids = st.builds(lambda before, node_id, after: before + node_id + after, blanks, ids, blanks)


@st.composite
def odd_inputs(draw: st.DrawFn, node_type: str, version: str) -> dict[str, Any]:
    template = TEMPLATES.get(node_type)
    names = [*(template.inputs if template else ()), "gone", "saved_workflow_input::n::a"]
    inputs: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(names), max_size=5, unique=True)):
        given: dict[str, Any] = {"name": name, "label": ""}
        if version == "1.0.0":
            given["type"] = draw(st.sampled_from(OLD_TYPES))
        elif version == "2.0.0":
            declared = {"isCollection": False, "isCollectionOrScalar": False}
            given["type"] = {"name": draw(st.sampled_from([*sorted(FORMAT_2_TYPES), "CollectionField"])), **declared}
        if draw(st.booleans()):
            given["value"] = draw(odd_values)
        inputs[name] = given
    return inputs


@st.composite
def odd_nodes(draw: st.DrawFn, version: str) -> dict[str, Any]:
    kind = draw(st.sampled_from(["invocation"] * 5 + ["connector"] * 2 + ["notes"]))
    data: dict[str, Any] = {"type": kind}
    if kind == "invocation":
        data["type"] = draw(st.sampled_from(NODE_TYPES))
        template = TEMPLATES.get(data["type"])
        newest = template.version if template else "1.0.0"
        data["version"] = draw(st.sampled_from([newest, newest, "1.0.0", "1.0.1", "2.0.0", "1..0"]))
        data["inputs"] = draw(odd_inputs(data["type"], version))
    return {"id": draw(ids), "type": kind, "data": data}


@st.composite
def odd_documents(draw: st.DrawFn) -> dict[str, Any]:
    version = draw(st.sampled_from(["1.0.0", "2.0.0", "3.0.0", "4.0.0"]))
    nodes = draw(st.lists(odd_nodes(version), max_size=7))

    def ports(node: dict[str, Any]) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
        """The outputs and inputs of a node, with their types; a connector's have none."""
        if node["type"] == "connector":
            return [("out", None)], [("in", None)]
        template = TEMPLATES.get(node["data"]["type"])
        if template is None:
            return [], []
        return [(name, output.type) for name, output in template.outputs.items()], [
            (name, known.type) for name, known in template.inputs.items()
        ]

    fitting = [
        (source["id"], output, target["id"], name)
        for source in nodes
        for target in nodes
        if source is not target
        for output, made in ports(source)[0]
        for name, taken in ports(target)[1]
        if made is None or taken is None or can_feed(made, taken)
    ]
    some_end = st.tuples(
        ids, st.sampled_from(["value", "image", "out", "gone"]), ids, st.sampled_from(["a", "in", "gone"])
    )
    edges = [
        {
            "id": draw(st.sampled_from(["same", f"e{place}"])),
            "type": draw(st.sampled_from(["default"] * 5 + ["collapsed"])),
            **dict(zip(("source", "sourceHandle", "target", "targetHandle"), ends, strict=True)),
        }
        for place, ends in enumerate(
            draw(st.lists(st.one_of(*[st.sampled_from(fitting)] * 3, some_end) if fitting else some_end, max_size=8))
        )
    ]
    inputs = [name for node in nodes for name in node["data"].get("inputs", ())]
    identifiers = [{"nodeId": draw(ids), "fieldName": draw(st.sampled_from([*inputs, "gone"]))} for _ in range(2)]
    document: dict[str, Any] = {
        "meta": {"version": version},
        "nodes": nodes,
        "edges": edges,
        "exposedFields": draw(st.sampled_from([[], identifiers, identifiers * 2])),
    }
    if draw(st.booleans()):
        field = {
            "id": "f",
            "type": "node-field",
            "parentId": "root",
            "data": {"fieldIdentifier": identifiers[0], "settings": draw(odd_values)},
        }
        children = draw(st.sampled_from([["f"], ["f", "f"], ["root", "f"], []]))
        root = {"id": "root", "type": "container", "data": {"layout": "column", "children": children}}
        document["form"] = {"rootElementId": "root", "elements": {"root": root, "f": field}}
    for name in draw(st.sampled_from([(), (), (), ("nodes",), ("edges",), ("exposedFields",)])):
        del document[name]
    return document


@settings(max_examples=400)
@given(document=odd_documents())
def test_odd_values_ids_and_edges_give_our_errors_or_a_graph_and_a_saved_copy_gives_the_same(document: Any) -> None:
    made = outcome(document)
    if made is None:
        return
    # What was migrated, trimmed or dropped when it was loaded is so in the copy.
    assert outcome(WorkflowDefinition.from_dict(document).to_dict()) == made
    assert outcome(json.loads(json.dumps(document))) == made


@settings(max_examples=150)
@given(document=odd_documents(), data=st.data())
def test_blanks_around_ids_and_names_change_nothing(document: Any, data: st.DataObject) -> None:
    padded = copy.deepcopy(document)

    def pad(holder: Any, *names: str) -> None:
        for name in names:
            before, after = (data.draw(st.sampled_from(["", " ", "\n", "\u00a0", "\ufeff"])) for _ in range(2))
            holder[name] = before + holder[name] + after

    for node in padded.get("nodes", ()):
        pad(node, "id")
        if node["type"] == "invocation":
            pad(node["data"], "type")
    for edge in padded.get("edges", ()):
        pad(edge, "source", "sourceHandle", "target", "targetHandle")
    for identifier in padded.get("exposedFields", ()):
        pad(identifier, "nodeId", "fieldName")
    assert outcome(padded) == outcome(document)


@settings(max_examples=300)
@given(value=odd_values | anything)
def test_a_value_is_read_once_and_for_all_and_can_be_sent(value: Any) -> None:
    read = saved_value(value, TEMPLATES.model_terms)
    if read is not UNSET:
        assert saved_value(read, TEMPLATES.model_terms) == read
        assert json.loads(json.dumps(read, allow_nan=False)) == read
    for declared in FORMAT_2_TYPES:
        old = read_format_2(value, declared)
        assert old is UNSET or read_format_2(old, declared) == old


@settings(max_examples=300)
@given(value=one_generator, kind=st.sampled_from(KINDS))
def test_a_generator_makes_what_can_be_sent_or_a_value_error(value: Any, kind: str) -> None:
    with contextlib.suppress(ValueError):
        made = generate(value, kind)
        json.dumps(made if isinstance(made, list) else [], allow_nan=False)


@settings(max_examples=250)
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
    outcome(document)


@given(document=anything)
def test_any_json_gives_our_errors(document: Any) -> None:
    outcome(document)


@given(text=st.text(max_size=200))
def test_any_text_gives_our_errors(text: str) -> None:
    with contextlib.suppress(InvokeAIError):
        WorkflowDefinition.from_json(text)


@given(document=st.dictionaries(st.sampled_from(["nodes", "edges", "meta", "form", "exposedFields", "name"]), anything))
def test_a_document_of_the_right_parts_gives_our_errors(document: Any) -> None:
    document.setdefault("meta", {"version": "3.0.0"})
    outcome(document)
