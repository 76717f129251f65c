"""The resources of the server that a workflow names: models, images, videos and boards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.dynamic_inputs import input_template
from invokeai_py_client.workflow.edge import Edge
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import FieldPlace
from invokeai_py_client.workflow.generators import BoardImages, ServerGenerator, generate
from invokeai_py_client.workflow.templates import NodeTemplates, is_model_type

Kind = Literal["model", "image", "video", "board"]

_NAMES: tuple[tuple[str, Kind], ...] = (("image_name", "image"), ("video_name", "video"), ("board_id", "board"))


@dataclass(frozen=True, slots=True)
class NamedResource:
    """A resource that an input names.

    `name` is its key, name or id on the server, `label` what messages call it, and `about` tells it from others of the
    same label.
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
        edges: those of the document's edges that hold.
    """
    fed = {(edge.target, edge.target_field) for edge in edges}
    for node in definition.nodes.values():
        template = templates.get(node.type) if node.kind == "invocation" else None
        if template is None:
            continue
        for name, given in fields.inputs_of(node).items():
            known = input_template(node, template, name)
            if known is None or (node.id, name) in fed:
                continue
            place = fields.place(node, name)
            value = fields.value_of(node.id, name, given)
            if known.type.name == "ImageGeneratorField":
                value = _board_of(value)
            for one in value if isinstance(value, list) else [value]:
                yield from _named_by(one, place, is_model=is_model_type(known.type.name))


def _named_by(value: Any, place: FieldPlace, *, is_model: bool) -> Iterator[NamedResource]:
    if not isinstance(value, Mapping):
        return
    lora = value.get("lora")
    if isinstance(lora, Mapping):
        yield from _named_by(lora, place, is_model=True)
    elif is_model:
        key = value.get("key")
        if isinstance(key, str):
            about = " ".join(str(value[part]) for part in ("base", "type") if value.get(part))
            yield NamedResource(place, "model", key, str(value.get("name") or key), f"{about}, key {key}".lstrip(", "))
    else:
        for part, kind in _NAMES:
            name = value.get(part)
            if isinstance(name, str) and name:
                yield NamedResource(place, kind, name, name)


def _board_of(generator: Any) -> dict[str, str] | None:
    """The board from which an image generator takes its images."""
    try:
        made: list[Any] | ServerGenerator = generate(generator, "image")
    except ValueError:
        return None
    # Images on no board are asked for as those of the board `none`, which always exists.
    if isinstance(made, BoardImages) and made.board_id != "none":
        return {"board_id": made.board_id}
    return None
