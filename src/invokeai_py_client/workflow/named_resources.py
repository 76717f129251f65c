"""The resources of the server that a workflow names: models, images, videos and boards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.dynamic_inputs import input_template
from invokeai_py_client.workflow.edge import Edge
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import FieldPlace
from invokeai_py_client.workflow.generators import BoardImages, generate
from invokeai_py_client.workflow.references import is_model
from invokeai_py_client.workflow.templates import NodeTemplates, is_model_type

Kind = Literal["model", "image", "video", "board"]

_NAMES: tuple[tuple[str, Kind], ...] = (("image_name", "image"), ("video_name", "video"), ("board_id", "board"))


class NamedResource(NamedTuple):
    """A resource that an input names.

    `name` is its key, name or id on the server. `label` is its name in messages, and `about` distinguishes it from
    others with the same label.
    """

    place: FieldPlace
    kind: Kind
    name: str
    label: str
    about: str = ""

    def __str__(self) -> str:
        return f"the {self.kind} {self.label!r}" + (f" ({self.about})" if self.about else "")


def named_resources(
    definition: WorkflowDefinition, templates: NodeTemplates, fields: WorkflowFields, edges: Sequence[Edge]
) -> Iterator[NamedResource]:
    """Yield the resources that the inputs without an edge name, in document order.

    Args:
        definition: the document.
        templates: the server's node templates.
        fields: the values.
        edges: the valid edges of the document.
    """
    fed = {(edge.target, edge.target_field) for edge in edges}
    for node in definition.nodes.values():
        template = templates.get(node.type) if node.kind == "invocation" else None
        if template is None:
            continue
        inputs = fields.inputs_of(node)
        for name in fields.names_of(node):
            known = input_template(node, template, name)
            if known is None or (node.id, name) in fed:
                continue
            value = fields.value_of(node.id, name, inputs.get(name, {}))
            if known.type.name == "ImageGeneratorField":
                value = _board_of(value)
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, Mapping):
                    place = fields.place(node, name)
                    yield from _named_by(one, place, takes_model=is_model_type(known.type.name))


def _named_by(value: Mapping[str, Any], place: FieldPlace, *, takes_model: bool) -> Iterator[NamedResource]:
    model = value if takes_model else value.get("lora")
    if is_model(model):
        about = f"{model['base']} {model['type']}, key {model['key']}"
        yield NamedResource(place, "model", model["key"], model["name"], about)
    elif not takes_model:
        for part, kind in _NAMES:
            name = value.get(part)
            if isinstance(name, str) and name:
                yield NamedResource(place, kind, name, name)


def _board_of(generator: Any) -> dict[str, str] | None:
    """Return the board of an image generator as a value, None if it has none."""
    try:
        made = generate(generator)
    except ValueError:
        return None
    # The board `none`, for images that are not on a board, always exists.
    if isinstance(made, BoardImages) and made.board_id != "none":
        return {"board_id": made.board_id}
    return None
