from __future__ import annotations

import copy
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.documents import container, form, heading, shown

from invokeai_py_client.errors import InputConnectedError, InputNotFoundError, InputValueError
from invokeai_py_client.workflow.batching import batch_data, batch_nodes
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.graph import build_graph, with_values
from invokeai_py_client.workflow.inputs import WorkflowInputs, set_all, shown_inputs
from invokeai_py_client.workflow.templates import NodeTemplates


def node(node_id: str, kind: str, label: str = "", **inputs: Any) -> dict[str, Any]:
    data = {"id": node_id, "type": kind, "version": "1.0.0", "label": label, "inputs": inputs}
    return {"id": node_id, "type": "invocation", "data": data}


DOCUMENT: dict[str, Any] = {
    "name": "two prompts",
    "meta": {"version": "3.0.0"},
    "nodes": [
        node("p", "compel", "Positive", prompt={"label": "Positive Prompt", "value": "a"}, clip={}),
        node("n", "compel", "Negative", prompt={"label": "Negative Prompt", "value": "b"}),
        node("x", "noise", "", width={"value": 64}, height={"value": 64}, seed={"label": "SEED", "value": 1}),
        node("y", "noise", "", width={"value": 64}),
    ],
    "edges": [],
    "exposedFields": [
        {"nodeId": "p", "fieldName": "prompt"},
        {"nodeId": "n", "fieldName": "prompt"},
        {"nodeId": "gone", "fieldName": "prompt"},
        {"nodeId": "p", "fieldName": "gone"},
        {"nodeId": "x", "fieldName": "width"},
        {"nodeId": "y", "fieldName": "width"},
        {"nodeId": "x", "fieldName": "seed"},
        {"nodeId": "x", "fieldName": "seed"},
    ],
}


@pytest.fixture
def inputs(templates: NodeTemplates) -> WorkflowInputs:
    definition = WorkflowDefinition.from_dict(DOCUMENT)
    return shown_inputs(definition, templates, WorkflowFields(definition, templates))


def test_names_are_in_what_they_find_something_in(inputs: WorkflowInputs) -> None:
    nodes = inputs.nodes
    assert all(key in inputs for key in ("positive prompt", ("x", "seed"), inputs[0]))
    # "Width" is that of two inputs, so it finds none.
    assert not any(key in inputs for key in ("Width", "CFG", ("x", "steps"), ("x", "seed", "y"), 5))
    assert "x" in nodes
    assert nodes["x"] in nodes
    assert "z" not in nodes
    assert "seed" in nodes["x"].inputs
    assert "steps" not in nodes["x"].inputs


def test_the_exposed_fields_are_the_inputs_as_far_as_they_exist(inputs: WorkflowInputs) -> None:
    assert [(i.index, i.label) for i in inputs] == [
        (0, "Positive Prompt"),
        (1, "Negative Prompt"),
        (2, "Width"),
        (3, "Width"),
        (4, "SEED"),
        (5, "SEED"),
    ]
    assert inputs[4].field is inputs[5].field
    assert len(inputs) == 6
    assert [i.index for i in inputs[1:3]] == [1, 2]
    assert inputs[-1].label == "SEED"


def test_inputs_are_printed_as_the_table_that_a_notebook_shows(inputs: WorkflowInputs) -> None:
    heading, _, *rows = str(inputs).splitlines()
    assert heading.split() == ["#", "Input", "Type", "Takes", "Default", "Current"]
    assert all(one.label in row for one, row in zip(inputs, rows, strict=True))
    assert repr(inputs).startswith(f"<WorkflowInputs: {inputs[0].label!r}, ")


def test_an_input_answers_to_its_label(inputs: WorkflowInputs) -> None:
    inputs["Positive Prompt"].value = "a tiger"
    assert inputs[0].field.value == "a tiger"
    inputs["seed"].value = 5
    assert inputs[4].value == 5
    inputs["x", "width"].value = 128
    assert inputs[2].value == 128
    assert inputs["Negative", "prompt"].index == 1
    with pytest.raises(InputValueError):
        inputs["seed"].value = "5"


def test_an_unknown_label_lists_the_choices_and_the_nearest(inputs: WorkflowInputs) -> None:
    with pytest.raises(InputNotFoundError, match="Did you mean 'Positive Prompt'") as caught:
        inputs["Positiv Promt"]
    assert len(caught.value.choices) == 6
    assert "Negative Prompt" in str(caught.value)


def test_an_ambiguous_label_lists_those_it_could_mean(inputs: WorkflowInputs) -> None:
    with pytest.raises(InputNotFoundError, match="2 inputs match 'Width'") as caught:
        inputs["Width"]
    assert len(caught.value.choices) == 2


def test_an_index_out_of_range_is_a_lookup_error(inputs: WorkflowInputs) -> None:
    for index in (6, -7, 10**30):
        with pytest.raises(LookupError):
            inputs[index]
    with pytest.raises(InputNotFoundError):
        inputs["x", "gone"]


def test_a_form_goes_before_exposed_fields(templates: NodeTemplates) -> None:
    document = copy.deepcopy(DOCUMENT)
    document["form"] = form(container("root", "seed"), shown("seed", "x", "seed"))
    definition = WorkflowDefinition.from_dict(document)
    inputs = shown_inputs(definition, templates, WorkflowFields(definition, templates))
    assert [i.label for i in inputs] == ["SEED"]


def test_two_handles_of_one_document_have_values_of_their_own(templates: NodeTemplates) -> None:
    definition = WorkflowDefinition.from_dict(DOCUMENT)
    one, two = (shown_inputs(definition, templates, WorkflowFields(definition, templates)) for _ in range(2))
    one[0].value = "mine"
    assert two[0].value == "a"


def test_several_are_set_together_or_not_at_all(inputs: WorkflowInputs) -> None:
    set_all(inputs, {"Positive Prompt": "a tiger", 2: 128, ("y", "width"): 256})
    assert (inputs[0].value, inputs[2].value, inputs[3].value) == ("a tiger", 128, 256)
    with pytest.raises(InputValueError):
        set_all(inputs, {0: "a fox", 2: "wide"})
    with pytest.raises(InputNotFoundError):
        set_all(inputs, {"Positive Prompt": "a fox", "no such": 1})
    assert (inputs[0].value, inputs[2].value) == ("a tiger", 128)


@pytest.mark.parametrize("keys", [(2, ("x", "width")), ("SEED", ("x", "seed")), (4, 5), (0, -6)])
def test_one_input_is_not_set_twice_at_once(inputs: WorkflowInputs, keys: tuple[Any, Any]) -> None:
    with pytest.raises(InputValueError, match="is named twice, as "):
        set_all(inputs, {keys[0]: 8, keys[1]: 16})
    assert (inputs[0].value, inputs[2].value, inputs[4].value) == ("a", 64, 1)


class Broken:
    """A record that fails as it is read."""

    @property
    def shape(self) -> tuple[int, ...]:
        raise OSError("it is gone")


def test_an_error_of_a_users_own_object_leaves_every_input_as_it_was(inputs: WorkflowInputs) -> None:
    with pytest.raises(OSError, match="it is gone"):
        set_all(inputs, {0: "a fox", 2: Broken()})
    assert inputs[0].value == "a"


def test_keys_of_a_wrong_shape_are_not_found(inputs: WorkflowInputs) -> None:
    odd: list[Any] = [("x", "width", "more"), ("x",), ([], {}), None, 1.5, True, False]
    for key in odd:
        with pytest.raises(InputNotFoundError):
            inputs[key]
    for key in odd[3:]:
        with pytest.raises(InputNotFoundError):
            inputs.nodes[key]
        with pytest.raises(InputNotFoundError):
            inputs.nodes["x"].inputs[key]


def test_a_form_that_shows_no_field_hides_the_exposed_fields(templates: NodeTemplates) -> None:
    only_a_heading = form(container("root", "head"), heading("head"))
    definition = WorkflowDefinition.from_dict({**DOCUMENT, "form": only_a_heading})
    assert len(shown_inputs(definition, templates, WorkflowFields(definition, templates))) == 0


def connected(templates: NodeTemplates) -> tuple[WorkflowDefinition, WorkflowFields, WorkflowInputs]:
    """A noise: its seed fed by a random number, its width by a batch, its height by a connector that nothing feeds."""
    wires = [("r", "value", "x", "seed"), ("b", "value", "x", "width"), ("c", "out", "x", "height")]
    edges = [
        {"source": source, "sourceHandle": output, "target": target, "targetHandle": field}
        for source, output, target, field in wires
    ]
    nodes = [
        node("r", "rand_int", low={"value": 0}, high={"value": 9}),
        node("b", "integer_batch", integers={"value": [64, 128]}, batch_group_id={"value": "None"}),
        {"id": "c", "type": "connector", "data": {}},
        node("x", "noise", width={"value": 64}, height={"value": 64}, seed={"label": "SEED", "value": 1}),
    ]
    definition = WorkflowDefinition.from_dict(
        {**DOCUMENT, "nodes": nodes, "edges": edges, "exposedFields": [{"nodeId": "x", "fieldName": "seed"}]}
    )
    fields = WorkflowFields(definition, templates)
    return definition, fields, shown_inputs(definition, templates, fields)


def test_an_input_with_an_edge_is_not_set_without_a_word(templates: NodeTemplates) -> None:
    _, _, inputs = connected(templates)
    with pytest.raises(
        InputConnectedError, match=r"'SEED' \(noise\.seed of node x\).*r\.value -> x\.seed.*override_edge"
    ) as caught:
        inputs["SEED"].value = 7
    assert caught.value.edge == "r.value -> x.seed"
    assert (caught.value.node_id, caught.value.field, caught.value.value) == ("x", "seed", 7)
    with pytest.raises(InputConnectedError):
        inputs["SEED"].field.value = 7
    with pytest.raises(InputConnectedError):
        inputs["noise", "width"].value = 64
    with pytest.raises(InputConnectedError):
        set_all(inputs, {("noise", "height"): 256, "SEED": 7})
    assert (inputs["SEED"].value, inputs["noise", "height"].value) == (1, 64)
    assert str(inputs["SEED"].edge) == "r.value -> x.seed"
    # A connector that nothing feeds brings no value, so the input's own is sent.
    inputs["noise", "height"].value = 128
    assert inputs["noise", "height"].edge is None


def test_a_refusal_names_the_node_that_feeds_the_input(templates: NodeTemplates) -> None:
    nodes = [
        node("r", "rand_int", "Random Seed"),
        node("w", "rand_int"),
        {"id": "c", "type": "connector", "data": {}},
        node("x", "noise", seed={}, width={}),
    ]
    edges = [
        {"source": source, "sourceHandle": output, "target": target, "targetHandle": field}
        for source, output, target, field in (
            ("r", "value", "c", "in"),
            ("c", "out", "x", "seed"),
            ("w", "value", "x", "width"),
        )
    ]
    definition = WorkflowDefinition.from_dict({**DOCUMENT, "nodes": nodes, "edges": edges})
    inputs = shown_inputs(definition, templates, WorkflowFields(definition, templates))
    for name, source in (("seed", "'Random Seed' (rand_int, r)"), ("width", "rand_int (w)")):
        with pytest.raises(InputConnectedError) as caught:
            inputs["x", name].value = 8
        assert f"takes its value from {source}, through the edge" in str(caught.value)
        assert caught.value.hint.endswith(f"or set the inputs of {source}.")


def test_a_value_overrides_an_edge_on_request(templates: NodeTemplates) -> None:
    definition, fields, inputs = connected(templates)
    inputs["SEED"].set(7, override_edge=True)
    set_all(inputs, {("noise", "width"): 256}, override_edge=True)
    inputs["SEED"].value = 8
    built = build_graph(definition, templates, fields, fields.edges)
    assert built.graph["edges"] == []
    assert (built.graph["nodes"]["x"]["seed"], built.graph["nodes"]["x"]["width"]) == (8, 256)
    # The batch has nothing to feed any more; it neither multiplies the items nor counts as not connected.
    assert batch_nodes(definition, fields, fields.edges) == []
    saved = with_values(definition, fields)
    assert [edge["target"] + "." + edge["targetHandle"] for edge in saved["edges"]] == ["x.height"]
    assert saved["nodes"][3]["data"]["inputs"]["seed"]["value"] == 8


def test_a_bad_value_leaves_the_edge_and_a_reset_brings_it_back(templates: NodeTemplates) -> None:
    definition, fields, inputs = connected(templates)
    with pytest.raises(InputValueError):
        inputs["SEED"].set("7", override_edge=True)
    assert len(fields.edges) == 3
    with pytest.raises(InputValueError):
        set_all(inputs, {"SEED": 7, ("noise", "width"): 65}, override_edge=True)
    assert len(fields.edges) == 3
    inputs["SEED"].set(1, override_edge=True)
    assert inputs["SEED"].field.is_changed
    assert len(fields.edges) == 2
    inputs["SEED"].field.reset()
    assert not inputs["SEED"].field.is_changed
    assert len(fields.edges) == 3
    (data,) = batch_data(batch_nodes(definition, fields, fields.edges), fields.edges, {})
    assert data == [{"node_path": "x", "field_name": "width", "items": [64, 128]}]


def test_a_node_is_named_by_id_label_or_type(inputs: WorkflowInputs) -> None:
    assert [(one.id, one.type, one.label) for one in inputs.nodes] == [
        ("p", "compel", "Positive"),
        ("n", "compel", "Negative"),
        ("x", "noise", ""),
        ("y", "noise", ""),
    ]
    assert inputs["p", "prompt"] is inputs["Positive", "prompt"]
    assert inputs["negative", "prompt"].index == 1
    with pytest.raises(InputNotFoundError, match=r"2 inputs match.*\('x', 'width'\)"):
        inputs["noise", "width"]
    with pytest.raises(InputNotFoundError, match=r"2 inputs match.*\('y', 'height'\)"):
        inputs["noise", "height"]
    assert inputs.nodes["x"].inputs["seed"].label == "SEED"
    assert inputs.nodes["x"].inputs["seed"] is inputs[4]
    assert inputs.nodes["x"].inputs["SEED"] is inputs[4]
    assert [one.field_name for one in inputs.nodes["Positive"].inputs] == ["prompt", "clip", "mask"]
    assert inputs.nodes[-1].inputs.names == ("width", "noise_type", "seed", "height", "use_cpu")
    assert len(inputs.nodes[1:3]) == 2
    inputs.nodes["x"].inputs["height"].value = 8
    assert inputs["x", "height"].value == 8


def test_what_a_node_lacks_lists_what_it_has(inputs: WorkflowInputs) -> None:
    with pytest.raises(
        InputNotFoundError, match=r"noise \(id x\) has no field 'sed'.*'seed'.*width, height, seed, "
    ) as caught:
        inputs["x", "sed"]
    assert caught.value.choices == inputs.nodes["x"].inputs.names
    with pytest.raises(InputNotFoundError, match="has no field 'sed'"):
        inputs.nodes["x"].inputs["sed"]
    with pytest.raises(InputNotFoundError, match=r"No node matches 'noize'.*'noise'.*'Positive' \(compel, id p\)"):
        inputs["noize", "seed"]
    with pytest.raises(InputNotFoundError, match=r"2 nodes match 'noise'"):
        inputs.nodes["noise"]
    for key in ("gone", 4, -5):
        with pytest.raises(InputNotFoundError):
            inputs.nodes[key]


def test_a_field_that_the_form_shows_twice_is_one_input(templates: NodeTemplates) -> None:
    shown = {"type": "node-field", "data": {"fieldIdentifier": {"nodeId": "x", "fieldName": "seed"}}}
    root = {"type": "container", "data": {"children": ["one", "two"]}}
    form = {"rootElementId": "root", "elements": {"root": root, "one": shown, "two": shown}}
    definition = WorkflowDefinition.from_dict({**DOCUMENT, "form": form})
    inputs = shown_inputs(definition, templates, WorkflowFields(definition, templates))
    inputs["SEED"].value = 5
    assert inputs["x", "seed"].value == 5


def test_an_input_that_the_files_node_lacks_can_be_set(templates: NodeTemplates) -> None:
    bare = [{"id": "b", "type": "invocation", "data": {"type": "img_blur", "version": "1.2.2"}}]
    definition = WorkflowDefinition.from_dict(
        {"name": "bare", "meta": {"version": "3.0.0"}, "nodes": bare, "edges": []}
    )
    fields = WorkflowFields(definition, templates)
    inputs = shown_inputs(definition, templates, fields)
    assert {"image", "radius", "board"} <= set(inputs.nodes["b"].inputs.names)
    assert inputs["b", "radius"].value is None
    inputs["img_blur", "radius"].value = 3
    inputs["img_blur", "image"].value = "a.png"
    inputs["img_blur", "board"].value = "none"
    graph = build_graph(definition, templates, fields, fields.edges, default_board="x").graph
    assert graph["nodes"]["b"] == {
        "id": "b",
        "type": "img_blur",
        "radius": 3,
        "image": {"image_name": "a.png"},
        "is_intermediate": False,
        "use_cache": True,
    }
    assert with_values(definition, fields)["nodes"][0]["data"]["inputs"]["radius"]["value"] == 3


def test_a_label_that_the_form_does_not_show_is_found_on_the_nodes(inputs: WorkflowInputs) -> None:
    with pytest.raises(InputNotFoundError, match=r"wf\.inputs\[\('x', 'height'\)\], wf\.inputs\[\('y', 'height'\)\]"):
        inputs["Height"]


def test_a_node_without_a_label_answers_to_its_title(inputs: WorkflowInputs) -> None:
    assert inputs.nodes["x"].title == "Create Latent Noise"
    assert inputs.nodes["p"].title == "Positive"
    assert [one.id for one in inputs.nodes.answering_to("create latent noise")] == ["x", "y"]


def test_an_input_that_is_listed_twice_is_one_and_answers_to_its_label(inputs: WorkflowInputs) -> None:
    inputs["SEED"].value = 7
    assert (inputs[4].value, inputs[5].value) == (7, 7)
    assert inputs["x", "seed"].index == 4


def test_the_two_inputs_of_an_image_collection_are_shown_as_one_twice(templates: NodeTemplates) -> None:
    data = {
        "type": "image_collection",
        "version": templates["image_collection"].version,
        "inputs": {name: {"name": name, "label": ""} for name in ("collection", "images")},
    }
    document = {
        "meta": {"version": "3.0.0"},
        "nodes": [{"id": "c", "type": "invocation", "data": data}],
        "edges": [],
        "exposedFields": [{"nodeId": "c", "fieldName": name} for name in ("collection", "images")],
    }
    definition = WorkflowDefinition.from_dict(document)
    inputs = shown_inputs(definition, templates, WorkflowFields(definition, templates))
    assert [i.field_name for i in inputs] == ["images", "images"]


def test_an_exposed_field_of_a_node_that_is_not_an_invocation_shows_nothing(templates: NodeTemplates) -> None:
    nodes = [{"id": "a", "type": "notes", "data": {}}, *({**node, "id": "a"} for node in DOCUMENT["nodes"][:1])]
    exposed = [{"nodeId": "a", "fieldName": "prompt"}]
    definition = WorkflowDefinition.from_dict({**DOCUMENT, "nodes": nodes, "exposedFields": exposed})
    assert len(shown_inputs(definition, templates, WorkflowFields(definition, templates))) == 0
    # A form, in contrast, means the first invocation.
    document = form(container("root", "p"), shown("p", "a", "prompt"))
    definition = WorkflowDefinition.from_dict({**DOCUMENT, "nodes": nodes, "form": document})
    assert len(shown_inputs(definition, templates, WorkflowFields(definition, templates))) == 1


def test_threads_that_ask_for_an_input_at_once_get_the_same_field(templates: NodeTemplates) -> None:
    definition = WorkflowDefinition.from_dict(copy.deepcopy(DOCUMENT))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            for _ in range(200):
                fields = WorkflowFields(definition, templates)
                start = threading.Barrier(4)

                def ask(fields: WorkflowFields = fields, start: threading.Barrier = start) -> object:
                    start.wait(10)
                    return fields.get("x", "width")

                asked = [pool.submit(ask) for _ in range(4)]
                assert len({id(one.result(10)) for one in asked}) == 1
    finally:
        sys.setswitchinterval(interval)


FORM = ("Positive Prompt", "Negative Prompt", "Width", "Width", "SEED", "SEED")


@pytest.mark.parametrize(
    ("look_up", "key", "choices", "hint"),
    [
        (lambda inputs: inputs["Negativ Promt"], "Negativ Promt", FORM, "Did you mean 'Negative Prompt'? "),
        (lambda inputs: inputs["zzz"], "zzz", FORM, "The inputs of the form: "),
        (lambda inputs: inputs[9], 9, FORM, "The inputs of the form: "),
        (lambda inputs: inputs[None], None, FORM, "The inputs of the form: "),
        (lambda inputs: inputs[1, 2], (1, 2), FORM, "The inputs of the form: "),
        (lambda inputs: inputs["Width"], "Width", FORM[2:4], "Use an index, or "),
        (lambda inputs: inputs["noise", "width"], ("noise", "width"), FORM[2:4], "Use an index"),
        (lambda inputs: inputs["noize", "seed"], ("noize", "seed"), "pnxy", "Did you mean 'noise'? "),
        (lambda inputs: inputs["zzz", "seed"], ("zzz", "seed"), "pnxy", "The workflow's nodes: "),
        (lambda inputs: inputs["p", "promt"], ("p", "promt"), ("prompt", "clip"), "Did you mean 'prompt'? "),
        (lambda inputs: inputs["p", "zzz"], ("p", "zzz"), ("prompt", "clip"), "Its fields: prompt, clip"),
        (lambda inputs: inputs.nodes["p"].inputs["Promt"], "Promt", ("prompt", "clip"), "Did you mean 'prompt'? "),
        (lambda inputs: inputs.nodes["p"].inputs[9], 9, ("prompt", "clip"), "Its fields: prompt, clip"),
        (lambda inputs: inputs.nodes["noise"], "noise", "xy", "Use the id of a node."),
        (lambda inputs: inputs.nodes["Positiv"], "Positiv", "pnxy", "Did you mean 'Positive'? "),
        (lambda inputs: inputs.nodes[9], 9, "pnxy", "The workflow's nodes: "),
    ],
)
def test_an_error_has_the_key_the_choices_and_a_hint(
    inputs: WorkflowInputs, look_up: Any, key: object, choices: Any, hint: str
) -> None:
    with pytest.raises(InputNotFoundError) as caught:
        look_up(inputs)
    assert caught.value.key == key
    assert caught.value.hint.startswith(hint)
    said = caught.value.choices[: len(choices)]
    assert all(choice in shown for choice, shown in zip(choices, said, strict=True))
    assert len(caught.value.choices) == len(choices) or "prompt" in choices


def test_a_label_that_many_nodes_have_is_shown_five_times(templates: NodeTemplates) -> None:
    nodes = [node(f"n{place}", "noise") for place in range(7)]
    definition = WorkflowDefinition.from_dict({**DOCUMENT, "nodes": nodes})
    inputs = shown_inputs(definition, templates, WorkflowFields(definition, templates))
    assert len(inputs) == 0
    with pytest.raises(InputNotFoundError) as caught:
        inputs["Height"]
    assert caught.value.hint.count("wf.inputs[('n") == 5
    assert "The inputs of the form: none" in caught.value.hint


def test_an_exact_label_goes_before_one_in_another_case(templates: NodeTemplates) -> None:
    labelled = node("x", "noise", width={"label": "Size", "value": 64}, height={"label": "size", "value": 64})
    exposed = [{"nodeId": "x", "fieldName": name} for name in ("width", "height")]
    definition = WorkflowDefinition.from_dict({**DOCUMENT, "nodes": [labelled], "exposedFields": exposed})
    inputs = shown_inputs(definition, templates, WorkflowFields(definition, templates))
    assert inputs["size"].field_name == "height"
    assert inputs["Size"].field_name == "width"
    with pytest.raises(InputNotFoundError, match="2 inputs match"):
        inputs["SIZE"]
    with pytest.raises(InputNotFoundError, match="has no field 'SIZE'"):
        inputs.nodes["x"].inputs["SIZE"]


def test_a_node_is_found_by_the_first_kind_of_name_that_matches(templates: NodeTemplates) -> None:
    nodes = [node("noise", "compel"), node("b", "compel", "compel"), node("c", "compel", "Noise"), node("d", "noise")]
    definition = WorkflowDefinition.from_dict({**DOCUMENT, "nodes": nodes})
    found = shown_inputs(definition, templates, WorkflowFields(definition, templates)).nodes
    for name, ids in (
        ("noise", "noise"),
        ("compel", "b"),
        ("Noise", "c"),
        (" NOISE ", "c"),
        ("COMPEL", "b"),
        ("Create Latent Noise", "d"),
        ("", ""),
    ):
        assert [one.id for one in found.answering_to(name)] == ([ids] if ids else [])


def test_an_input_says_what_it_is(templates: NodeTemplates) -> None:
    image = {"label": "Picture", "description": "Mine.", "value": {"image_name": "a"}}
    nodes = [node("b", "img_blur", image=image, radius={"value": 2}), node("c", "blank_image")]
    wire = {"type": "default", "source": "c", "sourceHandle": "image", "target": "b", "targetHandle": "image"}
    exposed = [{"nodeId": "b", "fieldName": name} for name in ("image", "radius")]
    definition = WorkflowDefinition.from_dict({**DOCUMENT, "nodes": nodes, "edges": [wire], "exposedFields": exposed})
    inputs = shown_inputs(definition, templates, WorkflowFields(definition, templates))
    one, radius = inputs
    assert (one.index, one.label, one.description) == (0, "Picture", "Mine.")
    assert (one.node_id, one.field_name, one.type_name, one.required) == ("b", "image", "ImageField", True)
    assert str(one) == "[0] Picture (img_blur.image of node b: ImageField)"
    assert str(one.edge) == "c.image -> b.image"
    assert (radius.label, radius.required, radius.edge) == ("Radius", False, None)
    assert radius.description == templates["img_blur"].inputs["radius"].description
    board = inputs["b", "board"]
    assert (board.index, str(board)) == (None, "Board (img_blur.board of node b: BoardField)")


def test_nodes_and_their_inputs_show_themselves(inputs: WorkflowInputs) -> None:
    assert repr(inputs.nodes["p"]) == "<WorkflowNode 'Positive' (compel, id p): prompt, clip, mask>"
    assert repr(inputs.nodes["x"].inputs).startswith("<NodeInputs of noise (id x): width, height, seed")
    assert len(inputs.nodes["p"].inputs) == 3
    assert [one.field_name for one in inputs.nodes["p"].inputs[1:]] == ["clip", "mask"]
    assert inputs.nodes["p"].inputs[-1].field_name == "mask"
    assert inputs.nodes["x"].inputs.label_of("seed") == "SEED"


def test_exposed_fields_that_the_server_does_not_know_are_not_shown_but_a_form_shows_them(
    templates: NodeTemplates,
) -> None:
    nodes = [node("a", "gone", old={"value": 1}), node("b", "noise", old={"value": 1}, width={"value": 8})]
    exposed = [{"nodeId": one, "fieldName": name} for one, name in (("a", "old"), ("b", "old"), ("b", "width"))]
    document = {**DOCUMENT, "nodes": nodes, "exposedFields": exposed}
    definition = WorkflowDefinition.from_dict(document)
    inputs = shown_inputs(definition, templates, WorkflowFields(definition, templates))
    assert [(i.index, i.node_id, i.field_name) for i in inputs] == [(0, "b", "width")]
    elements = [
        shown(f"e{place}", one, name) for place, (one, name) in enumerate([("a", "old"), ("b", "seed"), ("z", "x")])
    ]
    document["form"] = form(container("root", "e0", "e1", "e2"), *elements)
    definition = WorkflowDefinition.from_dict(document)
    inputs = shown_inputs(definition, templates, WorkflowFields(definition, templates))
    assert [(i.index, i.node_id, i.field_name) for i in inputs] == [(0, "a", "old"), (1, "b", "seed")]


def test_what_was_set_together_is_taken_back_together_with_its_edges(templates: NodeTemplates) -> None:
    _, fields, inputs = connected(templates)
    fed = next(one for one in inputs if one.edge is not None)
    free = next(one for one in inputs.nodes["x"].inputs if one.edge is None and one.type_name == "IntegerField")
    before = free.value
    with pytest.raises(InputConnectedError):
        set_all(inputs, {("x", free.field_name): 8, fed.index: 5})
    assert free.value == before
    with pytest.raises(InputValueError):
        set_all(inputs, {fed.index: 5, ("x", free.field_name): "no"}, override_edge=True)
    assert fed.edge is not None
    assert not fields.is_overridden(fed.node_id, fed.field_name)
    set_all(inputs, {fed.index: 5}, override_edge=True)
    assert fed.value == 5
    assert fed.field.edge is None
