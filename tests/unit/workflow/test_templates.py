from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.errors import WorkflowError
from invokeai_py_client.workflow.templates import Cardinality, FieldType, NodeTemplates


def test_every_node_of_a_real_server_is_read(templates: NodeTemplates) -> None:
    assert len(templates) == 309
    assert sum(len(templates[name].inputs) for name in templates) > 1500
    assert all(templates[name].output_type for name in templates)


def test_what_the_cache_holds_is_the_same(templates: NodeTemplates) -> None:
    again = NodeTemplates.from_json(templates.to_json())
    assert dict(again) == dict(templates)


@pytest.mark.parametrize(
    ("node", "name", "expected"),
    [
        ("denoise_latents", "steps", FieldType("IntegerField")),
        ("denoise_latents", "cfg_scale", FieldType("FloatField", Cardinality.SINGLE_OR_COLLECTION)),
        ("denoise_latents", "scheduler", FieldType("SchedulerField")),
        ("denoise_latents", "latents", FieldType("LatentsField")),
        ("main_model_loader", "model", FieldType("ModelIdentifierField")),
        ("img_blur", "blur_type", FieldType("EnumField")),
        ("l2i", "board", FieldType("BoardField")),
        ("collect", "item", FieldType("CollectionItemField")),
        ("iterate", "collection", FieldType("CollectionField", Cardinality.COLLECTION)),
        ("float_math", "a", FieldType("FloatField")),
        ("image_batch", "images", FieldType("ImageField", Cardinality.COLLECTION, batch=True)),
    ],
)
def test_types_are_the_web_uis(templates: NodeTemplates, node: str, name: str, expected: FieldType) -> None:
    assert templates[node].inputs[name].type == expected


def test_bounds_options_and_models_are_read(templates: NodeTemplates) -> None:
    noise = templates["noise"].inputs
    assert (noise["width"].exclusive_minimum, noise["width"].multiple_of, noise["width"].default) == (0, 8, 512)
    assert (noise["seed"].minimum, noise["seed"].maximum) == (0, 2**32 - 1)
    assert templates["img_blur"].inputs["blur_type"].options == ("gaussian", "box")
    assert "euler" in templates["denoise_latents"].inputs["scheduler"].options
    model = templates["main_model_loader"].inputs["model"]
    assert (model.model_bases, model.model_types, model.required) == (("sd-1", "sd-2"), ("main",), True)


def test_ports_that_only_take_edges_have_no_default(templates: NodeTemplates) -> None:
    latents = templates["denoise_latents"].inputs["latents"]
    assert (latents.input, latents.default) == ("connection", None)


def test_names_of_the_server_are_not_inputs(templates: NodeTemplates) -> None:
    assert not {"id", "type", "use_cache", "is_intermediate"} & set(templates["add"].inputs)
    assert "index" not in templates["iterate"].inputs
    assert "graph" not in templates


@pytest.mark.parametrize("document", [{}, {"components": {}}, {"components": {"schemas": {"A": {"type": "object"}}}}])
def test_a_document_without_nodes_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(WorkflowError, match="describes no nodes"):
        NodeTemplates.from_openapi(document)
