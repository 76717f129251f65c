from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.errors import WorkflowError
from invokeai_py_client.workflow.templates import (
    Cardinality,
    FieldType,
    InputTemplate,
    ModelTerms,
    NodeTemplate,
    NodeTemplates,
    is_model_type,
    unknown_input,
)

LIST = Cardinality.COLLECTION
EITHER = Cardinality.SINGLE_OR_COLLECTION
MODEL_REF = {"$ref": "#/components/schemas/ModelIdentifierField"}


def openapi(*nodes: dict[str, Any], **schemas: Any) -> dict[str, Any]:
    """An OpenAPI document with these nodes, all of which have the output `Out`, and with further schemas."""
    output = {"properties": {"type": {"default": "out"}, "value": {"type": "integer"}}}
    named = {f"Node{place}": node for place, node in enumerate(nodes)}
    return {"components": {"schemas": {"Out": output, **named, **schemas}}}


def schema(node_type: str, *, output: Any = "Out", described: Any = (), **properties: Any) -> dict[str, Any]:
    return {
        "class": "invocation",
        "title": f"{node_type} Invocation",
        "properties": {"type": {"default": node_type}, **properties},
        "output": {"$ref": f"#/components/schemas/{output}"},
        **dict(described),
    }


def given(**prop: Any) -> dict[str, Any]:
    """A property that is an input."""
    return {"field_kind": "input", **prop}


def only_input(prop: dict[str, Any], *, node_type: str = "mine", name: str = "a_value") -> InputTemplate:
    return NodeTemplates.from_openapi(openapi(schema(node_type, **{name: prop})))[node_type].inputs[name]


def test_every_node_of_a_real_server_is_read(templates: NodeTemplates) -> None:
    assert len(templates) == 309
    assert sum(len(templates[name].inputs) for name in templates) > 1500
    assert all(templates[name].output_type for name in templates)


def test_what_the_cache_holds_is_the_same(templates: NodeTemplates) -> None:
    again = NodeTemplates.from_lines(templates.to_lines())
    assert dict(again) == dict(templates)
    assert again.model_terms == templates.model_terms


@pytest.mark.parametrize(
    "text", [b"[]", b"node\tadd", b"picture\tadd\t{}", b'{"nodes": {}, "outputs": {}, "models": {}}']
)
def test_what_is_not_a_cached_document_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="does not contain node templates"):
        NodeTemplates.from_lines(text)


@pytest.mark.parametrize(
    ("node", "name", "expected"),
    [
        ("denoise_latents", "steps", FieldType("IntegerField")),
        ("denoise_latents", "cfg_scale", FieldType("FloatField", EITHER)),
        ("denoise_latents", "scheduler", FieldType("SchedulerField")),
        ("denoise_latents", "latents", FieldType("LatentsField")),
        ("main_model_loader", "model", FieldType("ModelIdentifierField")),
        ("img_blur", "blur_type", FieldType("EnumField")),
        ("l2i", "board", FieldType("BoardField")),
        ("collect", "item", FieldType("CollectionItemField")),
        ("iterate", "collection", FieldType("CollectionField", LIST)),
        ("float_math", "a", FieldType("FloatField")),
        ("image_batch", "images", FieldType("ImageField", LIST, batch=True)),
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
    with pytest.raises(WorkflowError, match="does not describe any nodes"):
        NodeTemplates.from_openapi(document)


def test_a_node_is_described_by_its_schema() -> None:
    described = {"version": "2.1.0", "category": "math", "node_pack": "my-pack"}
    integer = given(type="integer")
    full = schema("full", described=described, use_cache={"default": False}, a=integer, b=given(type="string"))
    read = NodeTemplates.from_openapi(openapi(full, schema("bare")))
    template = read["full"]
    assert isinstance(template, NodeTemplate)
    assert (template.type, template.title, template.version, template.category) == ("full", "full ", "2.1.0", "math")
    assert (template.node_pack, template.output_type, template.use_cache) == ("my-pack", "out", False)
    assert [*template.inputs] == ["a", "b"]
    assert [(out.name, out.title, out.type) for out in template.outputs.values()] == [
        ("value", "Value", FieldType("IntegerField"))
    ]
    bare = read["bare"]
    assert (bare.version, bare.category, bare.node_pack, bare.use_cache) == ("1.0.0", "other", "invokeai", True)
    assert bare.inputs == {}


def test_the_node_types_are_those_with_an_output_that_the_web_ui_does_not_deny() -> None:
    no_class = {**schema("plain"), "class": "output"}
    no_output = {key: value for key, value in schema("silent").items() if key != "output"}
    read = NodeTemplates.from_openapi(
        openapi(schema("graph"), schema("linear_ui_output"), no_class, no_output, schema("one"), schema("two"))
    )
    assert [*read] == ["one", "two"]
    assert len(read) == 2
    assert "one" in read
    assert "graph" not in read
    assert read.get("graph") is None


def test_inputs_are_the_fields_that_a_user_may_see() -> None:
    template = NodeTemplates.from_openapi(
        openapi(
            schema(
                "iterate",
                id=given(type="string"),
                use_cache={"default": True, **given(type="boolean")},
                index=given(type="integer"),
                mine=given(type="integer"),
                inner={"field_kind": "internal", "type": "integer"},
                is_intermediate={"field_kind": "internal", "type": "boolean", "ui_type": "IsIntermediate"},
                attribute={"field_kind": "node_attribute", "type": "boolean"},
                shapeless=given(),
                last=given(type="integer"),
            ),
            schema("other", index=given(type="integer")),
        )
    )
    assert [*template["iterate"].inputs] == ["mine", "inner", "last"]
    assert [*template["other"].inputs] == ["index"]


@pytest.mark.parametrize(
    ("prop", "expected"),
    [
        ({"type": "integer"}, FieldType("IntegerField")),
        ({"type": "number"}, FieldType("FloatField")),
        ({"type": "string"}, FieldType("StringField")),
        ({"type": "boolean"}, FieldType("BooleanField")),
        ({"$ref": "#/components/schemas/ImageField"}, FieldType("ImageField")),
        ({"const": "a"}, FieldType("EnumField")),
        ({"type": "string", "enum": ["a"]}, FieldType("EnumField")),
        ({"allOf": [{"$ref": "#/components/schemas/ImageField"}]}, FieldType("ImageField")),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, FieldType("IntegerField")),
        ({"type": "array", "items": {"type": "number"}}, FieldType("FloatField", LIST)),
        ({"type": "array", "items": {"$ref": "#/components/schemas/ImageField"}}, FieldType("ImageField", LIST)),
        (
            {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}}]},
            FieldType("FloatField", EITHER),
        ),
        (
            {"anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "number"}]},
            FieldType("FloatField", EITHER),
        ),
        ({"anyOf": [{"type": "array", "items": MODEL_REF}, MODEL_REF]}, FieldType("ModelIdentifierField", EITHER)),
        ({"ui_type": "SchedulerField", "type": "string"}, FieldType("SchedulerField")),
        ({"ui_type": "CollectionField"}, FieldType("CollectionField", LIST)),
    ],
)
def test_a_type_is_read_from_its_json_schema(prop: dict[str, Any], expected: FieldType) -> None:
    assert only_input(given(**prop)).type == expected


@pytest.mark.parametrize(
    "prop",
    [
        {},
        {"type": "object"},
        {"allOf": [{"type": "integer"}]},
        {"type": "array"},
        {"type": "array", "items": {"type": "object"}},
        {"anyOf": [{"type": "null"}]},
        {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "boolean"}]},
        {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "string"}}]},
        {"anyOf": [{"type": "array", "items": {"$ref": "#/A"}}, {"$ref": "#/B"}]},
        {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "array", "items": {"type": "string"}}]},
    ],
)
def test_a_shape_that_the_web_ui_has_no_field_for_is_not_an_input(prop: dict[str, Any]) -> None:
    template = NodeTemplates.from_openapi(openapi(schema("mine", odd=given(**prop), last=given(type="integer"))))
    assert [*template["mine"].inputs] == ["last"]


@pytest.mark.parametrize(
    ("ui_type", "original"),
    [
        ("SchedulerField", FieldType("StringField")),
        ("SDXLMainModelField", FieldType("StringField")),
        ("AnyField", None),
        ("LatentsField", None),
    ],
)
def test_a_type_that_holds_values_also_has_that_of_its_json(ui_type: str, original: FieldType | None) -> None:
    assert only_input(given(ui_type=ui_type, type="string")).type.original == original


@pytest.mark.parametrize("kind", ["float", "integer", "string", "image"])
def test_the_lists_of_batch_nodes_and_generators_are_their_own_ports(kind: str) -> None:
    prop = {"type": "array", "items": {"type": "integer"}}
    output = {"properties": {"type": {"default": "made"}, f"{kind}s": prop, "other": prop}}
    nodes = (
        schema(f"{kind}_batch", **{f"{kind}s": given(**prop), "other": given(**prop)}),
        schema(f"{kind}_generator", output="Made"),
        schema("mine", **{f"{kind}s": given(**prop)}),
    )
    read = NodeTemplates.from_openapi(openapi(*nodes, Made=output))
    assert read[f"{kind}_batch"].inputs[f"{kind}s"].type.batch
    assert not read[f"{kind}_batch"].inputs["other"].type.batch
    assert read[f"{kind}_generator"].outputs[f"{kind}s"].type.batch
    assert not read["mine"].inputs[f"{kind}s"].type.batch


def test_an_input_says_all_that_its_schema_says() -> None:
    template = only_input(
        given(
            type="string",
            enum=["a", "b"],
            title="A Title",
            description="What it is.",
            orig_required=True,
            default="b",
            input="direct",
            ui_hidden=True,
            ui_choice_labels={"a": "First"},
            ui_model_base=["sd-1"],
            ui_model_type=["main"],
        )
    )
    assert template == InputTemplate(
        name="a_value",
        title="A Title",
        description="What it is.",
        type=FieldType("EnumField"),
        required=True,
        default="b",
        input="direct",
        options=("a", "b"),
        option_labels={"a": "First"},
        model_bases=("sd-1",),
        model_types=("main",),
        is_hidden=True,
    )
    assert not template.nullable


def test_an_input_of_which_the_schema_says_little_has_the_web_uis_defaults() -> None:
    template = only_input(given(type="integer"))
    assert template == InputTemplate(
        name="a_value",
        title="A Value",
        description="",
        type=FieldType("IntegerField"),
        required=False,
        default=0,
        input="any",
    )
    assert template.nullable


@pytest.mark.parametrize(
    ("prop", "nullable"),
    [
        ({"orig_required": True}, False),
        ({"orig_required": False, "default": 0}, False),
        ({"orig_required": False, "default": None}, True),
        ({"default": None}, True),
    ],
)
def test_an_input_may_be_null_if_that_is_the_servers_default(prop: dict[str, Any], nullable: bool) -> None:
    assert only_input(given(type="integer", **prop)).nullable is nullable


BOUNDS = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "exclusive_minimum",
    "exclusiveMaximum": "exclusive_maximum",
    "multipleOf": "multiple_of",
    "minLength": "min_length",
    "maxLength": "max_length",
}


@pytest.mark.parametrize(("theirs", "ours"), BOUNDS.items())
@pytest.mark.parametrize(
    "place",
    [
        lambda bound: {"type": "number", **bound},
        lambda bound: {"anyOf": [{"type": "number", **bound}, {"type": "null"}]},
        lambda bound: {"type": "array", "items": {"type": "number", **bound}},
        lambda bound: {"anyOf": [{"type": "array", "items": {"type": "number", **bound}}, {"type": "number"}]},
        lambda bound: {"anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "number", **bound}]},
    ],
)
def test_a_bound_is_found_wherever_the_schema_has_it(place: Any, theirs: str, ours: str) -> None:
    template = only_input(given(**place({theirs: 0})))
    assert {name: getattr(template, name) for name in BOUNDS.values()} == {**dict.fromkeys(BOUNDS.values()), ours: 0}
    assert (template.min_items, template.max_items) == (None, None)


def test_the_length_of_a_list_is_not_a_bound_of_its_items() -> None:
    counted = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3, "minLength": 2}
    template = only_input(given(**counted))
    assert (template.min_items, template.max_items, template.max_length) == (1, 3, None)
    either = only_input(
        given(anyOf=[{"type": "string"}, {"type": "array", "items": {"type": "string"}, "maxItems": 2}])
    )
    assert (either.min_items, either.max_items) == (None, 2)


@pytest.mark.parametrize(
    ("prop", "options"),
    [
        ({"type": "string", "enum": ["a", "b"]}, ("a", "b")),
        ({"const": "a"}, ("a",)),
        ({"anyOf": [{"type": "string", "enum": ["c"]}, {"type": "null"}]}, ("c",)),
        ({"anyOf": [{"const": "d"}, {"type": "null"}]}, ("d",)),
        ({"ui_type": "SchedulerField", "type": "string", "enum": ["e"]}, ("e",)),
        ({"ui_type": "StringField", "type": "string", "enum": ["f"]}, ()),
        ({"ui_type": "SchedulerField", "type": "string"}, ()),
    ],
)
def test_options_are_those_of_an_enum_or_scheduler(prop: dict[str, Any], options: tuple[str, ...]) -> None:
    assert only_input(given(**prop)).options == options


@pytest.mark.parametrize(
    ("prop", "default"),
    [
        ({"type": "integer", "default": 7}, 7),
        ({"type": "integer"}, 0),
        ({"type": "boolean"}, False),
        ({"type": "string"}, ""),
        ({"ui_type": "BoardField"}, "auto"),
        ({"ui_type": "ColorField"}, {"r": 127, "g": 127, "b": 127, "a": 255}),
        ({"ui_type": "SchedulerField", "type": "string"}, "dpmpp_3m_k"),
        ({"ui_type": "ImageField"}, None),
        ({"type": "string", "enum": ["a", "b"]}, "a"),
        ({"ui_type": "EnumField"}, None),
        ({"ui_type": "LoRAField"}, []),
        ({"ui_type": "LoRAField", "default": [1]}, [1]),
        ({"type": "array", "items": {"type": "string"}, "orig_required": True}, []),
        ({"type": "array", "items": {"type": "string"}}, None),
        ({"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}}], "orig_required": True}, 0),
        ({"type": "array", "items": {"type": "boolean"}, "orig_required": True}, False),
        # What these hold is not the schema's default, whatever that is.
        ({"ui_type": "LoRAMetadataField", "default": [1]}, None),
        (
            {"ui_type": "StringGeneratorField", "default": {"type": "x"}},
            {"type": "string_generator_parse_string", "input": "foo,bar,baz,qux", "splitOn": ","},
        ),
        # An input that only takes edges has none.
        ({"ui_type": "LatentsField", "default": 3}, None),
    ],
)
def test_a_default_is_the_schemas_else_the_web_uis(prop: dict[str, Any], default: Any) -> None:
    assert only_input(given(**prop)).default == default


@pytest.mark.parametrize(
    ("ui_type", "wanted", "input_kind"),
    [("LatentsField", "any", "connection"), ("StringField", "direct", "direct"), ("SDXLMainModelField", "any", "any")],
)
def test_only_a_type_that_can_hold_a_value_takes_one(ui_type: str, wanted: str, input_kind: str) -> None:
    assert only_input(given(ui_type=ui_type, input=wanted)).input == input_kind


@pytest.mark.parametrize(
    ("prop", "bases", "types"),
    [
        ({"ui_type": "SDXLMainModelField"}, ("sdxl",), ("main",)),
        ({"ui_type": "VAEModelField"}, (), ("vae",)),
        ({"ui_type": "VAEModelField", "ui_model_base": ["flux"]}, ("flux",), ("vae",)),
        ({"ui_type": "VAEModelField", "ui_model_type": ["main"]}, (), ("main",)),
        (MODEL_REF, (), ()),
    ],
)
def test_the_models_of_an_input_are_reported_by_the_schema_else_by_its_type(prop: Any, bases: Any, types: Any) -> None:
    template = only_input(given(**prop))
    assert (template.model_bases, template.model_types) == (bases, types)


@pytest.mark.parametrize(
    ("name", "is_model"),
    [("ModelIdentifierField", True), ("SDXLMainModelField", True), ("ModelField", False), ("ImageField", False)],
)
def test_a_model_is_known_by_the_name_of_its_type(name: str, is_model: bool) -> None:
    assert is_model_type(name) is is_model


def test_outputs_have_titles_and_types() -> None:
    made = {
        "properties": {
            "type": {"default": "made"},
            "an_image": {"$ref": "#/components/schemas/ImageField"},
            "odd": {"type": "object"},
            "last": {"type": "integer", "title": "The Last"},
        }
    }
    template = NodeTemplates.from_openapi(openapi(schema("mine", output="Made"), Made=made))["mine"]
    assert [(out.name, out.title, str(out.type)) for out in template.outputs.values()] == [
        ("an_image", "An Image", "ImageField"),
        ("last", "The Last", "IntegerField"),
    ]
    assert template.output_type == "made"


def test_the_terms_for_models_are_those_that_the_document_lists() -> None:
    document = openapi(schema("mine"), BaseModelType={"enum": ["sd-1"]}, SubModelType={"enum": []})
    assert NodeTemplates.from_openapi(document).model_terms == ModelTerms(bases=frozenset({"sd-1"}))


@pytest.mark.parametrize(
    ("field_type", "said"),
    [
        (FieldType("ImageField"), "ImageField"),
        (FieldType("ImageField", LIST), "list of ImageField"),
        (FieldType("ImageField", EITHER), "list of ImageField, or one ImageField"),
    ],
)
def test_a_type_is_said_in_words(field_type: FieldType, said: str) -> None:
    assert str(field_type) == said


def test_an_input_that_the_server_does_not_describe_may_hold_any_json() -> None:
    assert unknown_input("any_thing") == InputTemplate(
        name="any_thing",
        title="Any Thing",
        description="",
        type=FieldType("unknown"),
        required=False,
        default=None,
        input="any",
    )
    assert unknown_input("any_thing").nullable
