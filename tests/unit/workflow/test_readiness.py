"""What keeps a workflow from running is found all at once: values, node types, edges and batches."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest
from tests.documents import edge, node

from invokeai_py_client.errors import BatchError, InputsNotReadyError, InputValueError, UnknownNodeError
from invokeai_py_client.workflow.batching import batch_nodes, read_batches
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import FieldPlace
from invokeai_py_client.workflow.inputs import shown_inputs
from invokeai_py_client.workflow.readiness import (
    InputProblem,
    batch_problems,
    check_ready,
    input_problems,
    missing_inputs,
    unreadable_batch,
)
from invokeai_py_client.workflow.templates import NodeTemplates

BLUR: dict[str, Any] = {
    "name": "blur",
    "meta": {"version": "3.0.0"},
    "nodes": [
        node("blank", "blank_image", "1.2.2", width=64, height=64),
        node("blur", "img_blur", "1.2.2", radius=2, blur_type="gaussian"),
    ],
    "edges": [edge("blank", "image", "blur", "image")],
}


@pytest.fixture
def document() -> dict[str, Any]:
    return copy.deepcopy(BLUR)


def problems(document: dict[str, Any], templates: NodeTemplates) -> list[InputProblem]:
    definition = WorkflowDefinition.from_dict(document)
    fields = WorkflowFields(definition, templates)
    found = input_problems(definition, templates, fields)
    return [*found, *batch_problems(batch_nodes(definition, fields, fields.edges), fields, {})]


def told(document: dict[str, Any], templates: NodeTemplates) -> list[tuple[str, str, str]]:
    return [(p.place.node_id, p.place.name, p.why) for p in problems(document, templates)]


def refused(document: dict[str, Any], templates: NodeTemplates) -> InputsNotReadyError:
    with pytest.raises(InputsNotReadyError) as caught:
        check_ready(
            problems(document, templates), definition=WorkflowDefinition.from_dict(document), templates=templates
        )
    return caught.value


def test_a_workflow_that_is_ready_has_no_problems(document: dict[str, Any], templates: NodeTemplates) -> None:
    assert told(document, templates) == []


@pytest.mark.parametrize(
    ("node_type", "name", "value", "why"),
    [
        (
            "noise",
            "seed",
            4545345345,
            "its value 4545345345 is not allowed: it takes a whole number at least 0, at most",
        ),
        ("noise", "seed", "7", "its value '7' is not allowed"),
        ("noise", "width", 0, "above 0"),
        ("noise", "width", 65, "a multiple of 8"),
        ("img_blur", "radius", -5, "at least 0"),
        ("img_blur", "blur_type", "soft", "one of 'gaussian', 'box'"),
    ],
)
def test_a_value_of_the_file_is_checked(
    templates: NodeTemplates, node_type: str, name: str, value: Any, why: str
) -> None:
    inputs: dict[str, Any] = {"image": {"image_name": "a.png"}} if node_type == "img_blur" else {}
    document = {**BLUR, "nodes": [node("n", node_type, "1.0.0", **inputs, **{name: value})], "edges": []}
    (problem,) = problems(document, templates)
    assert (problem.place.node_id, problem.place.name) == ("n", name)
    assert why in problem.why


def test_what_an_edge_feeds_is_not_checked(document: dict[str, Any], templates: NodeTemplates) -> None:
    document["nodes"].append(node("i", "integer", "1.0.1", value=64))
    document["nodes"][0]["data"]["inputs"]["width"]["value"] = "wide"
    assert len(told(document, templates)) == 1
    document["edges"].append(edge("i", "value", "blank", "width"))
    assert told(document, templates) == []


def test_an_empty_text_is_a_value(templates: NodeTemplates) -> None:
    # The web UI sends it, and a negative prompt often is empty.
    document = {**BLUR, "nodes": [node("n", "cogview4_text_encoder", "1.0.0", prompt="")], "edges": []}
    assert told(document, templates) == [("n", "glm_encoder", "it needs an edge")]


def test_a_missing_value_says_why_its_edge_was_dropped(document: dict[str, Any], templates: NodeTemplates) -> None:
    document["edges"] = [edge("blank", "width", "blur", "image")]
    ((node_id, name, why),) = told(document, templates)
    assert (node_id, name) == ("blur", "image")
    assert why.startswith("it needs a value: the edge blank.width -> blur.image is ignored: ")
    assert "IntegerField cannot feed ImageField" in why


def test_a_missing_value_names_the_connector_that_nothing_feeds(
    document: dict[str, Any], templates: NodeTemplates
) -> None:
    document["nodes"].append({"id": "c", "type": "connector", "data": {}})
    document["edges"] = [edge("c", "out", "blur", "image")]
    assert told(document, templates) == [
        ("blur", "image", "it needs a value: its edge comes from the connector c, which has no source")
    ]


def test_an_input_that_the_server_does_not_know_is_a_problem(
    document: dict[str, Any], templates: NodeTemplates
) -> None:
    # Of the server's version, so the web UI does not update the node, and refuses to invoke.
    document["nodes"][1]["data"]["inputs"]["sigma"] = {"name": "sigma", "value": 1}
    ((node_id, name, why),) = told(document, templates)
    assert (node_id, name) == ("blur", "sigma")
    assert "img_blur (1.2.2) has no such input" in why


def test_metadata_may_have_any_input(document: dict[str, Any], templates: NodeTemplates) -> None:
    document["nodes"].append(node("m", "core_metadata", templates["core_metadata"].version, anything=1))
    assert told(document, templates) == []


@pytest.mark.parametrize("nodes", [[], [{"id": "n", "type": "notes", "data": {}}]])
def test_a_workflow_without_nodes_cannot_run(nodes: list[Any], templates: NodeTemplates) -> None:
    error = refused({**BLUR, "nodes": nodes, "edges": []}, templates)
    assert error.problems == (("", "", "the workflow does not contain a node that can run"),)
    assert "blur cannot run yet: the workflow does not contain a node that can run" in str(error)


def test_every_missing_node_type_is_reported_with_its_node_and_pack(
    document: dict[str, Any], templates: NodeTemplates
) -> None:
    for number in range(12):
        document["nodes"].append(node(f"n{number}", f"custom_{number}", "1.0.0"))
        document["nodes"][-1]["data"]["nodePack"] = "my-pack"
    document["nodes"][1]["data"]["inputs"]["radius"]["value"] = -5
    error = refused(document, templates)
    assert isinstance(error, UnknownNodeError)
    assert error.node_ids == tuple(f"n{number}" for number in range(12))
    assert error.node_types == tuple(f"custom_{number}" for number in range(12))
    assert "'custom_11' (node n11) of the node pack 'my-pack'" in str(error)
    assert str(error).endswith("Install on the server: my-pack.")
    assert ("blur", "radius") in {(node_id, name) for node_id, name, _ in error.problems}
    assert "'Radius' (img_blur.radius of node blur)" in str(error)


@pytest.mark.parametrize(
    ("name", "near"), [("img_blurr", "img_blur"), ("noize", "noise"), ("face_mask_detection", None)]
)
def test_only_a_typo_has_a_nearest_type(
    document: dict[str, Any], templates: NodeTemplates, name: str, near: str | None
) -> None:
    document["nodes"].append(node("n", name, "1.0.0"))
    assert ("Similar types" in refused(document, templates).hint) is (near is not None)
    if near is not None:
        assert f"on the server: {near}." in str(refused(document, templates))


def test_a_batch_that_makes_nothing_is_reported_with_the_rest(
    document: dict[str, Any], templates: NodeTemplates
) -> None:
    document["nodes"] += [
        node("empty", "integer_batch", templates["integer_batch"].version, integers=[], batch_group_id="None"),
        node("loose", "integer_batch", templates["integer_batch"].version, integers=[1], batch_group_id="None"),
    ]
    document["nodes"][1]["data"]["inputs"]["radius"]["value"] = -5
    document["edges"].append(edge("empty", "value", "blank", "width"))
    error = refused(document, templates)
    assert isinstance(error, BatchError)
    assert error.node_ids == ("empty", "loose")
    assert [(node_id, name) for node_id, name, _ in error.problems] == [
        ("blur", "radius"),
        ("empty", "integers"),
        ("loose", ""),
    ]


def test_the_group_of_a_batch_may_have_any_name(document: dict[str, Any], templates: NodeTemplates) -> None:
    version = templates["integer_batch"].version
    document["nodes"].append(node("b", "integer_batch", version, integers=[64], batch_group_id="mine"))
    document["edges"].append(edge("b", "value", "blank", "width"))
    assert told(document, templates) == []


def test_one_reason_of_several_inputs_is_reported_once(document: dict[str, Any], templates: NodeTemplates) -> None:
    for place in (0, 1):
        document["nodes"].append(node(f"b{place}", "img_blur", "1.2.2"))
    error = refused(document, templates)
    assert str(error).count("it needs a value") == 1
    assert len(error.problems) == 2


OLD = {"model_name": "stable-diffusion-v1-5", "base_model": "sd-1", "model_type": "main"}


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0", "3.0.0"])
def test_a_model_reference_of_an_old_format_is_reported_by_its_name(templates: NodeTemplates, version: str) -> None:
    loader = node("m", "main_model_loader", "1.0.0", model=OLD)
    loader["data"]["inputs"]["model"].update(id="x", fieldKind="input", type="MainModelField")
    document = {**BLUR, "meta": {"version": version}, "nodes": [loader], "edges": []}
    ((node_id, name, why),) = told(document, templates)
    assert (node_id, name) == ("m", "model")
    assert "the model 'stable-diffusion-v1-5' (sd-1 main)" in why
    assert "sync_dnn_model()" in why


def test_an_optional_model_that_the_file_names_is_not_left_out_without_a_word(templates: NodeTemplates) -> None:
    unknown = {"key": "k", "hash": "h", "name": "Old one", "base": "sd-0", "type": "vae"}
    name, version = "z_image_model_loader", templates["z_image_model_loader"].version
    main = {**unknown, "base": "z-image", "type": "main"}
    document = {**BLUR, "nodes": [node("z", name, version, model=main, vae_model=unknown)], "edges": []}
    assert not templates[name].inputs["vae_model"].required
    ((node_id, field, why),) = told(document, templates)
    assert (node_id, field) == ("z", "vae_model")
    assert "the model 'Old one' (sd-0 vae)" in why


def test_loras_that_the_file_names_are_not_left_out_without_a_word(templates: NodeTemplates) -> None:
    lora = {"key": "k", "hash": "h", "name": "Old one", "base": "sd-1", "type": "lora"}
    name, version = "lora_collection_loader", templates["lora_collection_loader"].version
    held = [{"lora": lora, "weight": 1}, {"lora": {**lora, "base": "sd-0"}, "weight": 1}]
    definition = WorkflowDefinition.from_dict({**BLUR, "nodes": [node("l", name, version, loras=held)], "edges": []})
    fields = WorkflowFields(definition, templates)
    (problem,) = input_problems(definition, templates, fields)
    assert (problem.place.name, problem.why[:31]) == ("loras", "the file's LoRAs cannot be read")
    for value in ([], held[:1]):
        shown_inputs(definition, templates, fields)["l", "loras"].value = value
        assert input_problems(definition, templates, fields) == []
    empty = {**BLUR, "nodes": [node("l", name, version, loras=[])], "edges": []}
    assert told(empty, templates) == []


@pytest.mark.parametrize(
    "value", [5, "dreamshaper", {"type": "float_generator_arithmetic_sequence"}, {"key": "k"}, ["a"]]
)
def test_what_is_not_a_model_is_a_problem(templates: NodeTemplates, value: Any) -> None:
    document = {**BLUR, "nodes": [node("m", "main_model_loader", "1.0.4", model=value)], "edges": []}
    assert [(node_id, name) for node_id, name, _ in told(document, templates)] == [("m", "model")]


def test_a_value_that_was_set_is_ready(templates: NodeTemplates) -> None:
    document = {**BLUR, "nodes": [node("n", "img_blur", "1.2.2", radius=-5)], "edges": []}
    definition = WorkflowDefinition.from_dict(document)
    fields = WorkflowFields(definition, templates)
    inputs = shown_inputs(definition, templates, fields)
    assert len(input_problems(definition, templates, fields)) == 2
    inputs["n", "radius"].value = 5
    inputs["n", "image"].value = "a.png"
    assert input_problems(definition, templates, fields) == []
    inputs["n", "radius"].field.reset()
    assert len(input_problems(definition, templates, fields)) == 1


def test_a_batch_that_cannot_be_read_is_a_problem_of_its_node(templates: NodeTemplates) -> None:
    document = {**BLUR, "nodes": [node("b", "integer_batch", "1.0.0", integers="many")], "edges": []}
    definition = WorkflowDefinition.from_dict(document)
    fields = WorkflowFields(definition, templates)
    ((unread, error),) = read_batches(definition, fields, fields.edges)[1]
    problem = unreadable_batch(unread, error)
    assert (problem.place, problem.why, problem.is_batch) == (
        FieldPlace("b", "integer_batch", "", ""),
        str(error),
        True,
    )


def test_the_items_that_the_server_made_are_counted(templates: NodeTemplates) -> None:
    prompts = {"type": "string_generator_dynamic_prompts_random", "input": "a {b|c}", "count": 2, "seed": 1}
    nodes = [
        node("g", "string_generator", templates["string_generator"].version, generator=prompts),
        node("b", "string_batch", templates["string_batch"].version, strings=[], batch_group_id="Group 1"),
        node("i", "integer_batch", templates["integer_batch"].version, integers=[1, 2], batch_group_id="Group 1"),
        node("p", "string", "1.0.1", value=""),
        node("n", "noise", "1.0.3", width=64, height=64, seed=1),
    ]
    edges = [
        edge("g", "strings", "b", "strings"),
        edge("b", "value", "p", "value"),
        edge("i", "value", "n", "seed"),
    ]
    definition = WorkflowDefinition.from_dict({**BLUR, "nodes": nodes, "edges": edges})
    fields = WorkflowFields(definition, templates)
    batches = batch_nodes(definition, fields, fields.edges)
    assert batch_problems(batches, fields, {"b": ["x", "y"]}) == []
    assert [problem.place.node_id for problem in batch_problems(batches, fields, {"b": ["x"]})] == ["b", "i"]
    (empty, *_) = batch_problems(batches, fields, {"b": []})
    assert (empty.place.node_id, empty.place.name, empty.is_batch) == ("b", "strings", True)


def test_an_error_names_all_that_is_wrong_and_what_to_do(templates: NodeTemplates) -> None:
    definition = WorkflowDefinition.from_dict({**BLUR, "name": "mine"}, source="mine.json")
    check_ready([], definition=definition, templates=templates)
    seed, blur = FieldPlace("a", "noise", "", "seed", "Seed"), FieldPlace("blur", "img_blur", "", "")
    problems = [
        InputProblem(seed, "it needs a value"),
        InputProblem(dataclasses.replace(seed, node_id="b"), "it needs a value"),
        InputProblem(FieldPlace("", "", "", ""), "it is empty"),
        InputProblem(blur, "it makes nothing"),
    ]
    with pytest.raises(InputsNotReadyError) as caught:
        check_ready(problems, definition=definition, templates=templates)
    assert caught.value.problems == (
        ("a", "seed", "it needs a value"),
        ("b", "seed", "it needs a value"),
        ("", "", "it is empty"),
        ("blur", "", "it makes nothing"),
    )
    assert caught.value.source == "mine.json"
    told = str(caught.value)
    assert told.startswith("mine.json cannot run yet: ")
    assert "'Seed' (noise.seed of node a), 'Seed' (noise.seed of node b): it needs a value; it is empty; " in told


@pytest.mark.parametrize(
    ("document", "hint"),
    [
        ({"nodes": [node("b", "img_blur", "1.2.2")]}, "Set them and submit again."),
        (
            {"nodes": [node("m", "main_model_loader", "1.0.0", model=None)]},
            "Set them and submit again; sync_dnn_model() binds models.",
        ),
        ({"nodes": []}, "Mend the workflow in the web UI, and export it again."),
    ],
)
def test_an_error_says_what_helps(templates: NodeTemplates, document: dict[str, Any], hint: str) -> None:
    assert refused({**BLUR, **document, "edges": []}, templates).hint == hint


@pytest.mark.parametrize(
    ("name", "source", "start"),
    [("mine", "mine.json", "mine.json"), ("mine", None, "mine"), ("", None, "The workflow")],
)
def test_an_error_names_the_workflow(templates: NodeTemplates, name: str, source: str | None, start: str) -> None:
    definition = WorkflowDefinition.from_dict({**BLUR, "name": name}, source=source)
    problem = InputProblem(FieldPlace("", "", "", ""), "it is empty")
    for problems, error in (
        ([problem], InputsNotReadyError),
        ([problem._replace(is_batch=True)], BatchError),
    ):
        with pytest.raises(error) as caught:
            check_ready(problems, definition=definition, templates=templates)
        assert str(caught.value).startswith(f"{start} cannot run yet: it is empty.")
        assert caught.value.source == source


def test_missing_node_types_are_reported_before_all_else(templates: NodeTemplates) -> None:
    nodes = [
        node("a", "gone", "1.0.0"),
        node("b", "gone", "1.0.0"),
        node("c", "mine", "1.0.0"),
        node("d", "nois", "1.0.0"),
        node("e", "integer_batch", "1.0.0"),
    ]
    nodes[2]["data"]["nodePack"] = "my-pack"
    definition = WorkflowDefinition.from_dict({**BLUR, "nodes": nodes}, source="mine.json")
    problems = [
        InputProblem(FieldPlace("e", "integer_batch", "", ""), "no items", is_batch=True),
        *(
            InputProblem(FieldPlace(i, t, "", ""), "", unknown_type=t)
            for i, t in zip("abcd", ("gone", "gone", "mine", "nois"), strict=True)
        ),
    ]
    with pytest.raises(UnknownNodeError) as caught:
        check_ready(problems, definition=definition, templates=templates)
    assert caught.value.node_types == ("gone", "mine", "nois")
    assert caught.value.source == "mine.json"
    assert caught.value.node_ids == ("a", "b", "c", "d")
    assert len(caught.value.problems) == 5
    told = str(caught.value)
    assert "the server lacks the node types 'gone' (node a) of the node pack 'invokeai', " in told
    assert "'mine' (node c) of the node pack 'my-pack'" in told
    assert told.index("lacks the node types") < told.index("no items")
    assert "Install on the server: my-pack." in caught.value.hint
    assert "Similar types on the server: noise." in caught.value.hint


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (InputProblem(FieldPlace("n", "noise", "", "seed"), "why"), "noise.seed of node n: why"),
        (InputProblem(FieldPlace("", "", "", ""), "why"), "why"),
    ],
)
def test_a_problem_is_said_in_words(problem: InputProblem, said: str) -> None:
    assert str(problem) == said


def test_missing_inputs_are_those_that_a_node_cannot_do_without(templates: NodeTemplates) -> None:
    nodes = [
        node("unknown", "gone", "1.0.0"),
        {"id": "note", "type": "notes", "data": {}},
        node("batch", "image_batch", templates["image_batch"].version),
        node("blur", "img_blur", "1.2.2", radius=-5),
        node("steps", "denoise_latents", templates["denoise_latents"].version),
    ]
    definition = WorkflowDefinition.from_dict({**BLUR, "nodes": nodes, "edges": []})
    fields = WorkflowFields(definition, templates)
    found = [(one.place.node_id, one.place.name, one.why) for one in missing_inputs(definition, templates, fields)]
    assert ("blur", "image", "it needs a value") in found
    assert {(node_id, why) for node_id, name, why in found if node_id == "steps"} == {("steps", "it needs an edge")}
    assert {node_id for node_id, _, _ in found} == {"blur", "steps"}


@pytest.mark.parametrize("type_name", ["IntegerField", "CustomField"])
def test_none_in_a_required_input_is_refused_or_told(templates: NodeTemplates, type_name: str) -> None:
    name = "saved_workflow_input::n::x"
    inputs: dict[str, Any] = {"workflow_id": "w", name: 5}
    call = node("call", "call_saved_workflow", templates["call_saved_workflow"].version, **inputs)
    call["data"]["dynamicInputTemplates"] = {name: {"name": name, "type": {"name": type_name}, "required": True}}
    definition = WorkflowDefinition.from_dict({**BLUR, "nodes": [call], "edges": []})
    fields = WorkflowFields(definition, templates)
    one = shown_inputs(definition, templates, fields)["call", name]
    if type_name == "IntegerField":
        with pytest.raises(InputValueError, match="cannot be None"):
            one.value = None
        assert input_problems(definition, templates, fields) == []
    else:
        # Any JSON may be meant, null too; but nothing would be sent.
        one.value = None
        assert [problem.why for problem in input_problems(definition, templates, fields)] == ["it needs a value"]


def batch_of(items: Any, *targets: tuple[str, str], kind: str = "integer") -> dict[str, Any]:
    """A workflow whose batch node feeds inputs of its other nodes."""
    inputs = {f"{kind}s": items, "batch_group_id": "None"}
    output = "image" if kind == "image" else "value"
    return {
        **BLUR,
        "nodes": [
            *copy.deepcopy(BLUR["nodes"]),
            node("noise", "noise", "1.0.0", seed=1),
            node("b", f"{kind}_batch", "1.0.0", **inputs),
        ],
        "edges": [*(BLUR["edges"] if kind != "image" else ()), *(edge("b", output, *target) for target in targets)],
    }


@pytest.mark.parametrize(
    ("kind", "items", "target", "refused", "wants"),
    [
        ("integer", [64, 7, -8], ("noise", "width"), {1: 7, 2: -8}, "a whole number above 0, a multiple of 8"),
        ("integer", [1, 2], ("blur", "radius"), {}, ""),
        ("float", [2.5, -5, 0], ("blur", "radius"), {1: -5}, "a number at least 0"),
        ("image", [{"image_name": "a.png"}], ("blur", "image"), {}, ""),
    ],
)
def test_each_item_of_a_batch_is_checked_by_the_input_that_it_goes_into(
    templates: NodeTemplates, kind: str, items: list[Any], target: tuple[str, str], refused: dict[int, Any], wants: str
) -> None:
    found = told(batch_of(items, target, kind=kind), templates)
    assert [(node_id, name) for node_id, name, _ in found] == [("b", f"{kind}s")] * len(refused)
    for (_, _, why), (index, item) in zip(found, refused.items(), strict=True):
        assert f"its item {index} is {item!r}, but " in why
        assert f".{target[1]} of node {target[0]}) takes {wants}" in why


def test_a_batch_whose_items_an_input_refuses_is_not_a_batch(templates: NodeTemplates) -> None:
    document = batch_of([2, -5], ("blur", "radius"), ("noise", "width"))
    assert isinstance(refused(document, templates), BatchError)
    assert len(told(document, templates)) == 3
    assert len(told(batch_of([-1] * 1000, ("blur", "radius")), templates)) == 5


@pytest.mark.parametrize(
    ("value", "index"),
    [
        ({"type": "float_generator_arithmetic_sequence", "start": 1, "step": -1, "count": 3}, 2),
        ({"type": "float_generator_parse_string", "input": "1,2,1e999"}, 2),
    ],
)
def test_the_items_that_a_generator_makes_are_checked_too(
    templates: NodeTemplates, value: dict[str, Any], index: int
) -> None:
    document = batch_of([], ("blur", "radius"), kind="float")
    document["nodes"].append(node("g", "float_generator", "1.0.0", generator=value))
    document["edges"].append(edge("g", "floats", "b", "floats"))
    ((node_id, name, why),) = told(document, templates)
    assert (node_id, name) == ("b", "floats")
    assert f"its item {index} is " in why


def test_an_item_that_is_set_is_checked_as_the_files_are(templates: NodeTemplates) -> None:
    definition = WorkflowDefinition.from_dict(batch_of([2, -5], ("blur", "radius")))
    fields = WorkflowFields(definition, templates)
    shown_inputs(definition, templates, fields)["b", "integers"].value = [2, 3, -7]
    (problem,) = batch_problems(batch_nodes(definition, fields, fields.edges), fields, {})
    assert "its item 2 is -7" in problem.why


def test_a_batch_that_leads_to_a_connector_is_refused(templates: NodeTemplates) -> None:
    document = batch_of([2, 3], ("c", "in"))
    document["nodes"].append({"id": "c", "type": "connector", "data": {}})
    document["edges"].append(edge("c", "out", "blur", "radius"))
    ((node_id, name, why),) = told(document, templates)
    assert (node_id, name) == ("b", "")
    assert why.startswith("its edge b.value -> c.in leads to a connector")


def test_a_batch_that_leads_to_an_input_of_a_called_workflow_is_refused(templates: NodeTemplates) -> None:
    name = "saved_workflow_input::blur::radius"
    document = batch_of([2, 3], ("call", name))
    inputs: dict[str, Any] = {"workflow_id": "w", name: 2}
    document["nodes"].append(node("call", "call_saved_workflow", "1.0.0", **inputs))
    described = {"name": name, "type": {"name": "IntegerField", "cardinality": "SINGLE", "batch": False}}
    document["nodes"][-1]["data"]["dynamicInputTemplates"] = {name: described}
    ((node_id, _, why),) = told(document, templates)
    assert node_id == "b"
    assert f"b.value -> call.{name} leads to" in why


def test_two_batches_into_one_input_are_refused(templates: NodeTemplates) -> None:
    document = batch_of([2, 3], ("list", "item"))
    document["nodes"] += [
        node("list", "collect", "1.1.0"),
        node("b2", "integer_batch", "1.0.0", integers=[4], batch_group_id="None"),
    ]
    document["edges"].append(edge("b2", "value", "list", "item"))
    ((node_id, _, why),) = told(document, templates)
    assert node_id == "b2"
    assert "another batch node also feeds" in why
    assert "collect.item of node list" in why
