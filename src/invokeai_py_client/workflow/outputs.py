"""The output nodes of a workflow, and the images and videos that each of them created."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.workflow.document import Node, WorkflowDefinition
from invokeai_py_client.workflow.graph import is_executable
from invokeai_py_client.workflow.inputs import WorkflowInputs
from invokeai_py_client.workflow.templates import NodeTemplate, NodeTemplates

_NAME_OF = {"ImageField": "image_name", "VideoField": "video_name"}


@dataclass(frozen=True, slots=True)
class NodePath:
    """A node of a workflow, or of a workflow that it calls.

    `node_id` is the node's id in its own workflow. `call_path` contains the ids of the call nodes that lead to that
    workflow, outermost first; it is empty for a node of the submitted workflow.

    Example:
        >>> str(NodePath("blur", ("call",)))
        'call/blur'
    """

    node_id: str
    call_path: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "/".join((*self.call_path, self.node_id))


class NodeResult(NamedTuple):
    """The output of one node of a run: its `result` as the server sent it, and the board in the submitted graph."""

    path: NodePath
    node_type: str
    is_intermediate: bool
    result: Mapping[str, Any]
    board_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputMapping(ReadsAsMapping):
    """The images and videos of one output node.

    `call_path` is empty for a node of the submitted workflow. For a node of a called workflow, it contains the ids of
    the call nodes that lead there, outermost first, and `node_id` is the node's id in the called workflow.

    `input_index` is the index of the node's board input, if the form shows it. `board_id` is the board of the images,
    None for no board. `image_names` and `video_names` are in the order of creation, empty if there are none.
    """

    node_id: str
    node_type: str
    label: str
    input_index: int | None
    board_id: str | None
    image_names: tuple[str, ...]
    video_names: tuple[str, ...] = ()
    call_path: tuple[str, ...] = ()

    @property
    def path(self) -> NodePath:
        """The node with its call path."""
        return NodePath(self.node_id, self.call_path)

    @property
    def tier(self) -> str:
        """`results` if the node created images or videos, otherwise `none`; as in client 1.1."""
        return "results" if self.image_names or self.video_names else "none"

    def _names(self) -> Collection[str]:
        """Return the names of the attributes."""
        return [*(f.name for f in fields(self)), "tier"]


def output_nodes(definition: WorkflowDefinition, templates: NodeTemplates, shown: WorkflowInputs) -> list[Node]:
    """Return the nodes that create images or videos for the gallery: those with a board input in the form first."""
    makers = [
        node
        for node in definition.nodes.values()
        if is_executable(node)
        and not node.is_intermediate
        and node.type in templates
        and any(output.type.name in _NAME_OF for output in templates[node.type].outputs.values())
    ]
    position = {node.id: _board_index(node, shown) for node in makers}
    return sorted(makers, key=lambda node: len(shown) if (at := position[node.id]) is None else at)


def map_outputs(
    definition: WorkflowDefinition,
    templates: NodeTemplates,
    shown: WorkflowInputs,
    results: Iterable[tuple[str, Mapping[str, Any]]],
    boards: Mapping[str, str],
    called: Iterable[NodeResult] = (),
) -> list[OutputMapping]:
    """Return what each output node created.

    Args:
        definition: the document.
        templates: the server's node templates.
        shown: the inputs of its form.
        results: (node id in the workflow, the node's result as the server sent it), in order of arrival.
        boards: the ids of the boards in the submitted graph, by node id.
        called: the results of the called workflows, in order of arrival.

    Returns:
        A mapping for each output node, those with a board input in the form first; then one for each output node of a
        called workflow that created something.
    """
    made: dict[tuple[str, str], list[str]] = {}
    for node_id, result in results:
        node = definition.nodes.get(node_id)
        if node is not None and node.type in templates:
            for kind, name in _names(result, templates[node.type]):
                made.setdefault((node_id, kind), []).append(name)
    own = [
        OutputMapping(
            node_id=node.id,
            node_type=node.type,
            label=node.label or templates[node.type].title,
            input_index=_board_index(node, shown),
            board_id=boards.get(node.id),
            image_names=tuple(made.get((node.id, "image_name"), ())),
            video_names=tuple(made.get((node.id, "video_name"), ())),
        )
        for node in output_nodes(definition, templates, shown)
    ]
    return own + _map_called(templates, called)


def _map_called(templates: NodeTemplates, results: Iterable[NodeResult]) -> list[OutputMapping]:
    """Return a mapping for each node of a called workflow that created images or videos for the gallery."""
    made: dict[tuple[NodePath, str], list[str]] = {}
    makers: dict[NodePath, NodeResult] = {}
    for one in results:
        if one.is_intermediate or one.node_type not in templates:
            continue
        for kind, name in _names(one.result, templates[one.node_type]):
            made.setdefault((one.path, kind), []).append(name)
            makers.setdefault(one.path, one)
    return [
        OutputMapping(
            node_id=path.node_id,
            call_path=path.call_path,
            node_type=one.node_type,
            label=templates[one.node_type].title,
            input_index=None,
            board_id=one.board_id,
            image_names=tuple(made.get((path, "image_name"), ())),
            video_names=tuple(made.get((path, "video_name"), ())),
        )
        for path, one in makers.items()
    ]


def _board_index(node: Node, shown: WorkflowInputs) -> int | None:
    return next(
        (i.index for i in shown if i.node_id == node.id and i.field.template.type.name == "BoardField"),
        None,
    )


def boards_sent(graph: Mapping[str, Any]) -> dict[str, str]:
    """Return the ids of the boards that a graph names, by node id."""
    return {
        node_id: node["board"]["board_id"]
        for node_id, node in graph["nodes"].items()
        if isinstance(node.get("board"), Mapping) and isinstance(node["board"].get("board_id"), str)
    }


def images_in(results: Iterable[NodeResult], *, with_intermediate: bool = False) -> dict[str, NodePath]:
    """Return the names of the gallery images in results, each with the node that created it. Needs no document.

    Args:
        results: the results, in order of arrival.
        with_intermediate: include the images of intermediate nodes.
    """
    found: dict[str, NodePath] = {}
    for made in results:
        if made.is_intermediate and not with_intermediate:
            continue
        for value in made.result.values():
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, Mapping) and isinstance(one.get("image_name"), str):
                    found.setdefault(one["image_name"], made.path)
    return found


def _names(result: Mapping[str, Any], template: NodeTemplate) -> Iterator[tuple[str, str]]:
    """Yield (key, name) of the images and videos in a node's result, in the order of its outputs."""
    for name, output in template.outputs.items():
        key = _NAME_OF.get(output.type.name)
        value = result.get(name)
        for one in value if isinstance(value, list) else [value]:
            if key is not None and isinstance(one, Mapping) and isinstance(one.get(key), str):
                yield key, one[key]
