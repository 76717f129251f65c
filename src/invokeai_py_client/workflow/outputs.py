"""Which nodes of a workflow make what its user wants to see, and what each of them made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.workflow.document import Node, WorkflowDefinition
from invokeai_py_client.workflow.graph import is_executable
from invokeai_py_client.workflow.inputs import WorkflowFields, WorkflowInputs
from invokeai_py_client.workflow.templates import NodeTemplates

_IMAGE_OUTPUTS = frozenset({"image_output", "image_collection_output"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputMapping(ReadsAsMapping):
    """What one output node made.

    `input_index` is the index of the node's board input, if the form shows it; `board_id` the board that the images
    went to, None for none. `image_names` are in the order in which they were made, empty if the node made none.
    """

    node_id: str
    node_type: str
    label: str
    input_index: int | None
    board_id: str | None
    image_names: tuple[str, ...]

    def keys(self) -> Collection[str]:
        """The names of the attributes."""
        return [f.name for f in fields(self)]


def output_nodes(definition: WorkflowDefinition, templates: NodeTemplates, shown: WorkflowInputs) -> list[Node]:
    """The nodes that make images for the gallery: those with a board input in the form first, in the form's order."""
    makers = [
        node
        for node in definition.nodes.values()
        if is_executable(node)
        and not node.is_intermediate
        and node.type in templates
        and templates[node.type].output_type in _IMAGE_OUTPUTS
    ]
    position = {node.id: _board_index(node, shown) for node in makers}
    return sorted(makers, key=lambda node: len(shown) if (at := position[node.id]) is None else at)


def map_outputs(
    definition: WorkflowDefinition,
    templates: NodeTemplates,
    fields: WorkflowFields,
    shown: WorkflowInputs,
    results: Iterable[tuple[str, Mapping[str, Any]]],
    *,
    default_board: str | None = None,
) -> list[OutputMapping]:
    """Say what each output node made.

    Args:
        definition: the document.
        templates: the server's node templates.
        fields: the values that were sent.
        shown: the inputs of its form.
        results: (node id in the workflow, the node's result as the server sent it), in the order in which they came.
        default_board: the id of the board that `auto` means.

    Returns:
        A mapping for each output node, those with a board input in the form first.
    """
    made: dict[str, list[str]] = {}
    for node_id, result in results:
        made.setdefault(node_id, []).extend(_image_names(result))
    return [
        OutputMapping(
            node_id=node.id,
            node_type=node.type,
            label=node.label or templates[node.type].title,
            input_index=_board_index(node, shown),
            board_id=_board_id(node, fields, default_board),
            image_names=tuple(made.get(node.id, ())),
        )
        for node in output_nodes(definition, templates, shown)
    ]


def _board_index(node: Node, shown: WorkflowInputs) -> int | None:
    return next(
        (i.index for i in shown if i.node_id == node.id and i.field.template.type.name == "BoardField"),
        None,
    )


def _board_id(node: Node, fields: WorkflowFields, default_board: str | None) -> str | None:
    given = fields.inputs_of(node).get("board")
    value = None if given is None else fields.value_of(node.id, "board", given)
    if isinstance(value, Mapping):
        board_id = value.get("board_id")
        return board_id if isinstance(board_id, str) else None
    return None if value == "none" else default_board


def _image_names(result: Mapping[str, Any]) -> Iterator[str]:
    image = result.get("image")
    collection = result.get("collection")
    for one in [image, *(collection if isinstance(collection, list) else [])]:
        if isinstance(one, Mapping) and isinstance(one.get("image_name"), str):
            yield one["image_name"]
