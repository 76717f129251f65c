"""What the generated module says of each kind of input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.documents import container, edge, form, node, shown
from tests.support.forms import FormOf, loaded

from invokeai_py_client.codegen.module import MARK, generate_module
from invokeai_py_client.workflow.templates import NodeTemplates


def document_of(*nodes: dict[str, Any], edges: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """A workflow that shows all inputs of its nodes."""
    return {
        "name": "tiger",
        "meta": {"version": "3.0.0", "category": "user"},
        "exposedFields": [{"nodeId": one["id"], "fieldName": name} for one in nodes for name in one["data"]["inputs"]],
        "nodes": [*nodes],
        "edges": edges or [],
    }


def field_of(templates: NodeTemplates, one: dict[str, Any]) -> str:
    """The lines of the one field, without its docstring."""
    text = generate_module(FormOf(document_of(one), templates))
    lines = text.split("class Inputs:\n")[1].split("\n\n\n")[0].split("\n\n", 1)[1].splitlines()
    return "\n".join(lines).split('"""')[0].strip()


MODEL = {"key": "k", "hash": "h", "name": "dreamshaper", "base": "sd-1", "type": "main"}


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (node("n", "noise", "1.0.3", width=64), "width: int = 64"),
        (node("n", "noise", "1.0.3", width=65), "width: int"),
        (node("n", "noise", "1.0.3", use_cpu=False), "use_cpu: bool = False"),
        (node("n", "float", "1.0.1", value=1e-07), "value: float = 1e-07"),
        (node("n", "float", "1.0.1", value=7), "value: float = 7"),
        (node("n", "string", "1.0.1", value='a "tiger"'), "value: str = 'a \"tiger\"'"),
        (node("n", "string", "1.0.1", value=7), "value: str | Keep = KEEP"),
        (node("n", "scheduler", "1.0.0", scheduler="euler"), 'scheduler: Scheduler = "euler"'),
        (node("n", "scheduler", "1.0.0", scheduler="gone"), "scheduler: Scheduler"),
        (node("n", "color", "1.0.1", color={"r": 255, "g": 0, "b": 9, "a": 255}), 'color: ColorLike = "#ff0009"'),
        (node("n", "color", "1.0.1", color={"r": 255, "g": 0, "b": 9, "a": 3}), 'color: ColorLike = "#ff000903"'),
        (node("n", "color", "1.0.1", color={"r": 255.0, "g": 0, "b": 9, "a": 255}), 'color: ColorLike = "#ff0009"'),
        (node("n", "image", "1.0.2", image={"image_name": "a.png"}), 'image: ImageInput = "a.png"'),
        (node("n", "image", "1.0.2", image={"image_name": "../a.png"}), "image: ImageInput | Keep = KEEP"),
        (node("n", "image", "1.0.2", image=None), "image: ImageInput"),
        (node("n", "l2i", "1.3.2", board="auto"), 'board: BoardLike | None = "auto"'),
        (node("n", "l2i", "1.3.2", board={"board_id": "b7"}), 'board: BoardLike | None = "b7"'),
        (node("n", "main_model_loader", "1.0.4", model=MODEL), "model: ModelLike | Keep = KEEP"),
        (node("n", "main_model_loader", "1.0.4", model=None), "model: ModelLike"),
        (node("n", "flux_model_loader", "1.0.7", vae_model=None), "vae: ModelLike | None = None"),
        (node("n", "flux_model_loader", "1.0.7", vae_model=MODEL), "vae: ModelLike | Keep | None = KEEP"),
        (node("n", "string_collection", "1.0.2", collection=["a", "b"]), 'collection: Sequence[str] = ("a", "b")'),
        (node("n", "integer_collection", "1.0.1", collection=[1]), "collection: Sequence[int] = (1,)"),
        (node("n", "no_such_node", "1.0.0", thing={"a": 1}), ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_field_has_the_type_and_the_value_of_its_input(
    templates: NodeTemplates, one: dict[str, Any], line: str
) -> None:
    if not line:
        assert "pass" not in generate_module(FormOf(document_of(one), templates))
        return
    assert field_of(templates, one) == line


def test_the_docstring_has_label_range_and_purpose(templates: NodeTemplates) -> None:
    def said(one: dict[str, Any]) -> str:
        text = generate_module(FormOf(document_of(one), templates))
        return " ".join(text.split("class Inputs:\n")[1].split('"""')[3].split())

    assert said(node("n", "noise", "1.0.3", width=64)) == "Width: above 0, a multiple of 8. Width of output (px)."
    assert said(node("n", "main_model_loader", "1.0.4", model=MODEL)) == (
        "Model: type main, base sd-1 or sd-2. Main model (UNet, VAE, CLIP) to load. "
        "The workflow has 'dreamshaper' (sd-1 main)."
    )
    assert said(node("n", "noise", "1.0.3", width=65)).endswith(
        "The value of the workflow cannot be used: its value 65 is not allowed: it takes a whole number above 0, a "
        "multiple of 8."
    )


def test_the_form_can_narrow_a_range(templates: NodeTemplates) -> None:
    document = document_of(node("n", "noise", "1.0.3", width=64))
    element = shown("a", "n", "width")
    element["data"]["settings"] = {"type": "integer-field-config", "min": 64, "max": 1024}
    document["form"] = form(container("root", "a"), element)
    assert '"""Width: at least 64, above 0, at most 1024, a multiple of 8.' in generate_module(
        FormOf(document, templates)
    )


def test_equal_choices_are_one_type(templates: NodeTemplates) -> None:
    nodes = [node(name, "scheduler", "1.0.0", scheduler=name) for name in ("euler", "ddim")]
    text = generate_module(FormOf(document_of(*nodes), templates))
    assert text.count("Literal[") == 1
    assert 'scheduler: Scheduler = "euler"' in text
    assert 'scheduler_2: Scheduler = "ddim"' in text


def test_what_an_edge_feeds_is_left_out(templates: NodeTemplates) -> None:
    nodes = (node("int", "integer", "1.0.1", value=64), node("n", "noise", "1.0.3", width=64, height=64))
    document = document_of(*nodes, edges=[edge("int", "value", "n", "width")])
    document["exposedFields"].append({"nodeId": "n", "fieldName": "height"})
    module = loaded(generate_module(FormOf(document, templates)))
    assert [*vars(module.Inputs())] == ["value", "height"]


def test_values_of_a_handle_are_neither_read_nor_changed(templates: NodeTemplates) -> None:
    form = FormOf(document_of(node("n", "noise", "1.0.3", width=64)), templates)
    form.inputs["Width"].value = 128
    assert "width: int = 64" in generate_module(form)
    assert form.inputs["Width"].value == 128


def test_a_seed_is_a_parameter_if_the_form_lacks_it(templates: NodeTemplates) -> None:
    hidden = document_of(node("n", "noise", "1.0.3", seed=1, width=64))
    del hidden["exposedFields"][0]
    text = generate_module(FormOf(hidden, templates))
    assert "seed: int | None = None" in text
    assert "seeds=seeds" in text
    text = generate_module(FormOf(document_of(node("n", "noise", "1.0.3", seed=1, width=64)), templates))
    assert "seed: int = 1" in text
    assert "seed=seed" not in text


def test_models_are_bound_if_there_are_any(templates: NodeTemplates) -> None:
    with_model = FormOf(document_of(node("n", "main_model_loader", "1.0.4", model=MODEL)), templates)
    assert "wf.sync_dnn_model()" in generate_module(with_model)
    assert "sync_dnn_model" not in generate_module(
        FormOf(document_of(node("n", "noise", "1.0.3", width=64)), templates)
    )


@pytest.mark.parametrize(
    ("workflow", "module", "line"),
    [
        (Path("tiger.json"), None, 'WORKFLOW = Path(__file__).with_name("tiger.json")'),
        (Path("a/tiger.json"), "a/tiger.py", 'WORKFLOW = Path(__file__).with_name("tiger.json")'),
        (Path("a/tiger.json"), "b/tiger.py", 'WORKFLOW = Path(__file__).parent / "../a/tiger.json"'),
        (Path('a"b.json'), None, "WORKFLOW = Path(__file__).with_name('a\"b.json')"),
        ("Text to Image", None, 'WORKFLOW = "Text to Image"'),
    ],
)
def test_the_module_looks_for_the_workflow_beside_itself(
    templates: NodeTemplates, workflow: Path | str, module: str | None, line: str
) -> None:
    text = generate_module(
        FormOf(document_of(node("n", "noise", "1.0.3", width=64)), templates), workflow, module=module
    )
    assert line in text.splitlines()
    assert MARK in text
    loaded(text)


def test_the_workflow_is_loaded_as_what_it_is(templates: NodeTemplates) -> None:
    form = FormOf(document_of(node("n", "noise", "1.0.3", width=64)), templates)
    assert "create_workflow_from_file(workflow)" in generate_module(form, Path("a.json"))
    assert "create_workflow(WorkflowDefinition.from_image(workflow))" in generate_module(form, Path("a.PNG"))
    assert "create_workflow(workflow)" in generate_module(form, "library")
    text = generate_module(form)
    assert "WORKFLOW" not in text
    assert "    workflow: str | Path,\n" in text
