"""Node templates: the inputs and outputs of each node type, read from the server's OpenAPI document.

The rules are those of the web UI (`parseSchema.ts`, `parseFieldType.ts`, `buildFieldInputTemplate.ts`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

from invokeai_py_client.errors import WorkflowError
from invokeai_py_client.json_text import read_json

_PRIMITIVES = {"integer": "IntegerField", "number": "FloatField", "string": "StringField", "boolean": "BooleanField"}

_MODEL_ENUMS = ("BaseModelType", "ModelType", "SubModelType")
_DENIED_NODES = {"graph", "linear_ui_output"}
RESERVED_INPUTS = {"id", "type", "use_cache"}
"""The properties that every node of a graph has besides its inputs."""

_BATCH_PORTS = {
    *((f"{kind}_batch", f"{kind}s") for kind in ("float", "integer", "string", "image")),
    *((f"{kind}_generator", f"{kind}s") for kind in ("float", "integer", "string", "image")),
}

# The web UI's defaults if a schema has none.
_SINGLE_DEFAULTS: dict[str, Any] = {
    "IntegerField": 0,
    "FloatField": 0,
    "StringField": "",
    "BooleanField": False,
    "BoardField": "auto",
    "ColorField": {"r": 127, "g": 127, "b": 127, "a": 255},
    "SchedulerField": "dpmpp_3m_k",
    "SavedWorkflowField": "",
    "FloatGeneratorField": {"type": "float_generator_arithmetic_sequence", "start": 0, "step": 0.1, "count": 10},
    "IntegerGeneratorField": {"type": "integer_generator_arithmetic_sequence", "start": 0, "step": 1, "count": 10},
    "StringGeneratorField": {"type": "string_generator_parse_string", "input": "foo,bar,baz,qux", "splitOn": ","},
    "ImageGeneratorField": {"type": "image_generator_images_from_board", "category": "images"},
}
_GENERATOR_FIELDS = {f"{kind}GeneratorField" for kind in ("Float", "Integer", "String", "Image")}
_METADATA_FIELDS = {f"{kind}MetadataField" for kind in ("LoRA", "ControlNet", "IPAdapter", "T2IAdapter")}
_STATEFUL_COLLECTIONS = {"ImageField", "StringField", "IntegerField", "FloatField", "LoRAField"}
STATEFUL_FIELDS = {
    *_SINGLE_DEFAULTS,
    *_STATEFUL_COLLECTIONS,
    *_METADATA_FIELDS,
    "EnumField",
    "ModelIdentifierField",
    "VideoField",
    "StylePresetField",
    "SystemPromptField",
}
"""The types whose inputs can hold a value. Inputs of other types can only be connected."""


# Servers without `ui_model_type` and `ui_model_base` encode the model's type and base in the name of the field type.
# The meaning of the names is that of current servers for custom nodes (`migrate_model_ui_type` in `fields.py`).
_MODEL_FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "MainModelField": (("sd-1", "sd-2"), ("main",)),
    "CogView4MainModelField": (("cogview4",), ("main",)),
    "FluxMainModelField": (("flux",), ("main",)),
    "SD3MainModelField": (("sd-3",), ("main",)),
    "SDXLMainModelField": (("sdxl",), ("main",)),
    "SDXLRefinerModelField": (("sdxl-refiner",), ("main",)),
    "VAEModelField": ((), ("vae",)),
    "FluxVAEModelField": (("flux", "flux2"), ("vae",)),
    "LoRAModelField": ((), ("lora",)),
    "ControlNetModelField": ((), ("controlnet",)),
    "IPAdapterModelField": ((), ("ip_adapter",)),
    "T2IAdapterModelField": ((), ("t2i_adapter",)),
    "T5EncoderModelField": ((), ("t5_encoder",)),
    "CLIPEmbedModelField": ((), ("clip_embed",)),
    "CLIPLEmbedModelField": ((), ("clip_embed",)),
    "CLIPGEmbedModelField": ((), ("clip_embed",)),
    "SpandrelImageToImageModelField": ((), ("spandrel_image_to_image",)),
    "ControlLoRAModelField": ((), ("control_lora",)),
    "SigLipModelField": ((), ("siglip",)),
    "FluxReduxModelField": ((), ("flux_redux",)),
    "LLaVAModelField": ((), ("llava_onevision",)),
}


def is_model_type(name: str) -> bool:
    """Return whether a field type is that of a model: the current type, or an older one for a kind of model."""
    return name == "ModelIdentifierField" or (name.endswith("ModelField") and name != "ModelField")


class Cardinality(Enum):
    """Whether a field holds a single value, a list of values, or either."""

    SINGLE = "SINGLE"
    COLLECTION = "COLLECTION"
    SINGLE_OR_COLLECTION = "SINGLE_OR_COLLECTION"


@dataclass(frozen=True, slots=True)
class FieldType:
    """The type of an input or output: its name, cardinality, and whether it is a batch node's own port.

    `original` is the type by the JSON schema alone, if the schema overrides it; in a connection, either may match.
    """

    name: str
    cardinality: Cardinality = Cardinality.SINGLE
    batch: bool = False
    original: FieldType | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        if self.cardinality is Cardinality.SINGLE:
            return self.name
        return f"list of {self.name}" + ("" if self.cardinality is Cardinality.COLLECTION else f", or one {self.name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputTemplate:
    """The description of an input of a node type.

    `input` is `any`, `direct` or `connection`: where a value may come from. `nullable` is whether the node runs with
    null instead of a value. A bound is None if there is none.
    """

    name: str
    title: str
    description: str
    type: FieldType
    required: bool
    default: Any
    input: str
    nullable: bool = field(default=False, compare=False)
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    options: tuple[Any, ...] = ()
    option_labels: Mapping[str, str] = field(default_factory=dict)
    model_bases: tuple[str, ...] = ()
    model_types: tuple[str, ...] = ()
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class OutputTemplate:
    """The description of an output of a node type."""

    name: str
    title: str
    type: FieldType


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTemplate:
    """The description of a node type. `output_type` is the `type` of its result, such as `image_output`."""

    type: str
    title: str
    version: str
    category: str
    node_pack: str
    output_type: str
    use_cache: bool
    inputs: Mapping[str, InputTemplate]
    outputs: Mapping[str, OutputTemplate]


class ModelTerms(NamedTuple):
    """The bases, types and submodel types of models that a server knows; None where its document does not list them."""

    bases: frozenset[str] | None = None
    types: frozenset[str] | None = None
    submodels: frozenset[str] | None = None


ANY_MODEL = ModelTerms()
"""Terms that allow every model."""


class NodeTemplates(Mapping[str, NodeTemplate]):
    """The templates of all node types of a server, including custom nodes; each is parsed at first use.

    Example:
        >>> templates = NodeTemplates.from_openapi(document)
        >>> templates["noise"].inputs["width"].multiple_of
        8
    """

    def __init__(
        self,
        nodes: Mapping[str, bytes],
        outputs: Mapping[str, bytes],
        models: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        # Schemas are parsed when they are needed, as parsing those of all 309 node types takes longer than a request.
        self._nodes = nodes
        self._outputs = outputs
        self._models = models
        self.model_terms = ModelTerms(*(_terms(models, name) for name in _MODEL_ENUMS))
        self._read: dict[str, NodeTemplate] = {}

    @classmethod
    def from_openapi(cls, document: Mapping[str, Any]) -> NodeTemplates:
        """Find the node types in a server's `/openapi.json`.

        Raises:
            WorkflowError: there are none, so the document is not that of an InvokeAI server.
        """
        schemas = document.get("components", {}).get("schemas", {})
        nodes: dict[str, bytes] = {}
        outputs: dict[str, bytes] = {}
        for schema in schemas.values():
            if schema.get("class") != "invocation":
                continue
            node_type = schema["properties"]["type"]["default"]
            name = _ref_name(schema.get("output", {}))
            if node_type not in _DENIED_NODES and name in schemas:
                nodes[node_type] = _text(schema)
                outputs[name] = _text(schemas[name])
        if not nodes:
            raise WorkflowError(
                "The OpenAPI document does not describe any nodes.", hint="Pass an InvokeAI server's /openapi.json."
            )
        models = {name: _text(schemas[name]["enum"]) for name in _MODEL_ENUMS if schemas.get(name, {}).get("enum")}
        return cls(nodes, outputs, models)

    @classmethod
    def from_lines(cls, text: bytes) -> NodeTemplates:
        """Read the output of `to_lines`.

        Raises:
            ValueError: the text is something else.
        """
        stored: dict[bytes, dict[str, bytes]] = {b"node": {}, b"output": {}, b"model": {}}
        for line in text.splitlines():
            part, _, rest = line.partition(b"\t")
            name, is_whole, schema = rest.partition(b"\t")
            if part not in stored or not is_whole:
                raise ValueError("it does not contain node templates")
            stored[part][name.decode()] = schema
        return cls(*stored.values())

    def to_lines(self) -> bytes:
        """Return the part of the OpenAPI document that describes nodes, for a cache: a line for each schema."""
        stored = {b"node": self._nodes, b"output": self._outputs, b"model": self._models}
        return b"\n".join(
            b"\t".join((part, name.encode(), schema))
            for part, schemas in stored.items()
            for name, schema in schemas.items()
        )

    def __getitem__(self, node_type: str) -> NodeTemplate:
        template = self._read.get(node_type)
        if template is None:
            schema = read_json(self._nodes[node_type])
            output = read_json(self._outputs[_ref_name(schema["output"])])
            template = self._read[node_type] = _node_template(schema, output)
        return template

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, node_type: object) -> bool:
        return node_type in self._nodes


def _text(schema: object) -> bytes:
    return json.dumps(schema, separators=(",", ":")).encode()


def _terms(models: Mapping[str, bytes], name: str) -> frozenset[str] | None:
    return frozenset(read_json(models[name])) if name in models else None


def _node_template(schema: Mapping[str, Any], output: Mapping[str, Any]) -> NodeTemplate:
    properties: Mapping[str, Mapping[str, Any]] = schema["properties"]
    node_type: str = properties["type"]["default"]
    inputs: dict[str, InputTemplate] = {}
    for name, prop in properties.items():
        if name in RESERVED_INPUTS or (node_type, name) == ("iterate", "index"):
            continue
        if prop.get("field_kind") not in {"input", "internal"}:
            continue
        field_type = _port_type(node_type, name, prop)
        if field_type is not None and field_type.name != "IsIntermediate":
            inputs[name] = _input_template(name, prop, field_type)
    outputs: dict[str, OutputTemplate] = {}
    for name, prop in output["properties"].items():
        field_type = None if name == "type" else _port_type(node_type, name, prop)
        if field_type is not None:
            outputs[name] = OutputTemplate(name, str(prop.get("title") or _start_case(name)), field_type)
    return NodeTemplate(
        type=node_type,
        title=str(schema["title"]).replace("Invocation", "", 1),
        version=str(schema.get("version") or "1.0.0"),
        category=str(schema.get("category") or "other"),
        node_pack=str(schema.get("node_pack") or "invokeai"),
        output_type=str(output["properties"]["type"]["default"]),
        use_cache=bool(properties.get("use_cache", {}).get("default", True)),
        inputs=inputs,
        outputs=outputs,
    )


def _port_type(node_type: str, name: str, prop: Mapping[str, Any]) -> FieldType | None:
    override = prop.get("ui_type")
    if override:
        collection = override == "CollectionField"
        found: FieldType | None = FieldType(
            override,
            Cardinality.COLLECTION if collection else Cardinality.SINGLE,
            original=_json_type(prop) if override in STATEFUL_FIELDS or is_model_type(override) else None,
        )
    else:
        found = _json_type(prop)
    if found is not None and (node_type, name) in _BATCH_PORTS:
        return replace(found, batch=True)
    return found


def _json_type(schema: Mapping[str, Any]) -> FieldType | None:
    """Return the field type of a JSON schema; None if the web UI has no field for it."""
    if "$ref" in schema:
        return FieldType(_ref_name(schema))
    if schema.get("const"):
        return FieldType("EnumField")
    kind = schema.get("type")
    if not kind:
        if schema.get("allOf"):
            first = schema["allOf"][0]
            return FieldType(_ref_name(first)) if "$ref" in first else None
        if schema.get("anyOf"):
            return _union_type([option for option in schema["anyOf"] if option.get("type") != "null"])
        return None
    if schema.get("enum"):
        return FieldType("EnumField")
    if kind == "array":
        items = schema.get("items", {})
        name = _ref_name(items) if "$ref" in items else _PRIMITIVES.get(str(items.get("type")), "")
        return FieldType(name, Cardinality.COLLECTION) if name else None
    name = _PRIMITIVES.get(str(kind), "")
    return FieldType(name) if name else None


def _union_type(options: list[Mapping[str, Any]]) -> FieldType | None:
    if len(options) == 1:
        return _json_type(options[0])
    if len(options) != 2:
        return None
    # `T | list[T]`, in either order.
    lists = [option for option in options if option.get("type") == "array"]
    singles = [option for option in options if option.get("type") != "array"]
    if len(lists) != 1 or len(singles) != 1:
        return None
    item, single = lists[0].get("items", {}), singles[0]
    if "$ref" in item and "$ref" in single:
        same = _ref_name(item) if _ref_name(item) == _ref_name(single) else ""
    else:
        same = str(item.get("type") or "") if item.get("type") == single.get("type") else ""
    return FieldType(_PRIMITIVES.get(same, same), Cardinality.SINGLE_OR_COLLECTION) if same else None


def _input_template(name: str, prop: Mapping[str, Any], field_type: FieldType) -> InputTemplate:
    stateful = field_type.name in STATEFUL_FIELDS or is_model_type(field_type.name)
    bases, types = _MODEL_FIELDS.get(field_type.name, ((), ()))
    options = _options(prop) if field_type.name in {"EnumField", "SchedulerField"} else ()
    items: Mapping[str, Any] = next(
        (option for option in [prop, *prop.get("anyOf", ())] if option.get("type") == "array"), {}
    )
    bounds = _bounds(prop, items.get("items", {}) if items else {})
    return InputTemplate(
        name=name,
        title=str(prop.get("title") or _start_case(name)),
        description=str(prop.get("description") or ""),
        type=field_type,
        required=bool(prop.get("orig_required", False)),
        default=_default(prop, field_type, options) if stateful else None,
        input=str(prop.get("input") or "any") if stateful else "connection",
        nullable=not prop.get("orig_required", False) and prop.get("default") is None,
        min_items=items.get("minItems"),
        max_items=items.get("maxItems"),
        options=options,
        option_labels=prop.get("ui_choice_labels") or {},
        model_bases=tuple(prop.get("ui_model_base") or bases),
        model_types=tuple(prop.get("ui_model_type") or types),
        is_hidden=bool(prop.get("ui_hidden", False)),
        **bounds,
    )


def _bounds(prop: Mapping[str, Any], items: Mapping[str, Any]) -> dict[str, Any]:
    """Return the bounds of a value, from the schema itself, a branch of a union, or the items of a list."""
    branches = [prop, items, *(option for option in prop.get("anyOf", ()) if option.get("type") != "array")]
    found = {}
    for ours, theirs in (
        ("minimum", "minimum"),
        ("maximum", "maximum"),
        ("exclusive_minimum", "exclusiveMinimum"),
        ("exclusive_maximum", "exclusiveMaximum"),
        ("multiple_of", "multipleOf"),
        ("min_length", "minLength"),
        ("max_length", "maxLength"),
    ):
        found[ours] = next((branch[theirs] for branch in branches if branch.get(theirs) is not None), None)
    return found


def _options(prop: Mapping[str, Any]) -> tuple[Any, ...]:
    for branch in (prop, *prop.get("anyOf", ())):
        if branch.get("enum"):
            return tuple(branch["enum"])
        if branch.get("const"):
            return (branch["const"],)
    return ()


def _default(prop: Mapping[str, Any], field_type: FieldType, options: tuple[Any, ...]) -> Any:
    if field_type.name in _GENERATOR_FIELDS:
        return _SINGLE_DEFAULTS[field_type.name]
    if field_type.name in _METADATA_FIELDS:
        return None
    default = prop.get("default")
    if default is not None:
        return default
    if field_type.name == "LoRAField":
        # An empty list of LoRAs is valid, even if the list is required.
        return []
    if field_type.cardinality is Cardinality.COLLECTION and field_type.name in _STATEFUL_COLLECTIONS:
        return [] if prop.get("orig_required") else None
    if field_type.name == "EnumField":
        return options[0] if options else None
    return _SINGLE_DEFAULTS.get(field_type.name)


def _ref_name(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rsplit("/", 1)[-1]


def _start_case(name: str) -> str:
    return " ".join(word.capitalize() for word in name.split("_") if word)


def unknown_input(name: str) -> InputTemplate:
    """Return a template for an input that the server does not describe, which allows any JSON value."""
    return InputTemplate(
        name=name,
        title=_start_case(name),
        description="",
        type=FieldType("unknown"),
        required=False,
        default=None,
        input="any",
        nullable=True,
    )
