"""Finds the reasons why a workflow cannot run, without a server (`fieldValidators.ts`, `readiness.ts`).

These are the reasons for which the web UI disables its Invoke button; and values that the web UI would send, but the
server would certainly reject or fail at, such as a string instead of a number.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from invokeai_py_client.errors import BatchError, InputsNotReadyError, UnknownNodeError
from invokeai_py_client.workflow.batching import LIST_INPUTS, BatchNode, batch_faults, item_edges, items_of
from invokeai_py_client.workflow.document import Node, WorkflowDefinition
from invokeai_py_client.workflow.dynamic_inputs import dynamic_template, is_called_input
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import UNSET, Field, FieldPlace
from invokeai_py_client.workflow.graph import is_executable
from invokeai_py_client.workflow.node_update import NODES_WITH_EXTRA_INPUTS
from invokeai_py_client.workflow.resource_fields import ModelField
from invokeai_py_client.workflow.templates import InputTemplate, NodeTemplates, is_model_type

_NEAR = 0.8
"""The similarity of two node types above which one is considered a misspelling of the other."""

_MOST_TOLD = 5
"""The maximum number of invalid batch items that are reported for an input."""

_NOT_AN_INPUT = (
    "its edge {} leads to a connector, or to an input that the server's node does not have, such as one of a called "
    "workflow: connect a batch node directly to inputs of nodes that run"
)


class InputProblem(NamedTuple):
    """A reason why a workflow cannot run.

    It concerns an input, a node (`place` has no name), or the whole workflow (`place` has no node). `unknown_type` is
    the node type if the server lacks it. `is_batch` marks a batch node that does not form a batch.
    """

    place: FieldPlace
    why: str
    unknown_type: str | None = None
    is_batch: bool = False

    def __str__(self) -> str:
        return f"{self.place}: {self.why}" if self.place.node_id else self.why


def input_problems(
    definition: WorkflowDefinition, templates: NodeTemplates, fields: WorkflowFields
) -> list[InputProblem]:
    """Find the reasons why a workflow cannot run, except for its batches and for resources of the server.

    Args:
        definition: the document.
        templates: the server's node templates.
        fields: the values, and the valid edges.
    """
    if not any(is_executable(node) for node in definition.nodes.values()):
        return [InputProblem(FieldPlace("", "", "", ""), "the workflow does not contain a node that can run")]
    problems: list[InputProblem] = []
    for node in definition.nodes.values():
        if node.kind == "invocation" and node.type not in templates:
            problems.append(_unknown_node(node))
        elif node.kind == "invocation":
            problems += _problems_of(node, templates, fields)
    return problems


def missing_inputs(
    definition: WorkflowDefinition, templates: NodeTemplates, fields: WorkflowFields
) -> list[InputProblem]:
    """Find the required inputs that have neither a value nor an edge with a source.

    The server would accept such a graph, and fail at the node. The arguments are those of `input_problems`.
    """
    return [
        problem
        for node in definition.nodes.values()
        if node.kind == "invocation" and node.type in templates
        for problem in _missing_of(node, templates, fields)
    ]


def batch_problems(
    batches: Sequence[BatchNode], fields: WorkflowFields, generated: Mapping[str, list[Any]]
) -> list[InputProblem]:
    """Find the reasons why the batch nodes do not form a batch.

    Args:
        batches: the batch nodes.
        fields: the values, and the valid edges.
        generated: the items that the server generated, by the id of the batch node.
    """
    edges = fields.edges
    carrying = item_edges(batches, edges)
    faults = batch_faults(batches, edges, generated)
    taken: set[tuple[str, str]] = set()
    for batch in batches:
        name = LIST_INPUTS[batch.node.type]
        for edge in carrying.get(batch.node.id, ()):
            field = fields.batched(edge)
            if field is None:
                faults.append((batch.node, "", _NOT_AN_INPUT.format(edge)))
                continue
            place = (edge.target, edge.target_field)
            if place in taken:
                faults.append((batch.node, "", f"another batch node also feeds {field.place}, which accepts only one"))
            taken.add(place)
            faults += [(batch.node, name, why) for why in _refused_items(items_of(batch, generated), field)]
    return [
        InputProblem(fields.place(node, name) if name else _place_of(node), why, is_batch=True)
        for node, name, why in faults
    ]


def _refused_items(items: Sequence[Any], field: Field[Any]) -> Iterator[str]:
    """Yield a reason for each batch item that its input does not accept.

    The server would enqueue such a batch. At the item it would fail repeatedly, and would not run any other item.
    """
    checked = ((index, item, _refused_for(field, item)) for index, item in enumerate(items))
    refused = (one for one in checked if one[-1] is not None)
    for index, item, wants in islice(refused, _MOST_TOLD):
        yield f"its item {index} is {item!r:.80}, but {field.place} takes {wants}"


def _refused_for(field: Field[Any], item: Any) -> str | None:
    """Return what a field accepts instead of a batch item; None if it accepts the item."""
    if item is None:
        # A generator's number is out of range. The server does not accept null in a batch.
        return "a number that JSON can hold"
    error = field.refusal_of(item)
    return None if error is None else error.expected


def unreadable_batch(node: Node, error: BatchError) -> InputProblem:
    """Return the problem of a batch node whose items cannot be read."""
    return InputProblem(_place_of(node), str(error), is_batch=True)


def _problems_of(node: Node, templates: NodeTemplates, fields: WorkflowFields) -> Iterator[InputProblem]:
    inputs = fields.inputs_of(node)
    known = templates[node.type].inputs
    for name in inputs:
        if name not in known and not _is_extra(node, name):
            # The input belongs to another version of the node, which may have a different effect without it.
            yield InputProblem(
                fields.place(node, name),
                f"the server's {node.type} ({templates[node.type].version}) has no such input; the file's node has "
                f"version {node.version}. Replace the node in the web UI, or remove the input from the file",
            )
    yield from _missing_of(node, templates, fields)
    for name, template in _unfed(node, templates, fields):
        value = fields.value_of(node.id, name, inputs.get(name, {}))
        if value is UNSET and template.type.name == "LoRAField" and node.inputs.get(name, {}).get("value"):
            # The web UI would drop the whole list.
            yield InputProblem(
                fields.place(node, name),
                "the file's LoRAs cannot be read, as one is malformed or has a base that the server does not know: "
                "set the input, for example to [] for no LoRAs",
            )
        # `missing_inputs` reports missing values, and `batch_problems` empty batches.
        if (template.required and _is_empty(value)) or (template.type.batch and not value):
            continue
        # The group of a batch node is not sent, and may have any name.
        if template.type.name == "EnumField" and not is_executable(node):
            continue
        fault = fields.fault_of(node.id, name)
        if fault is not None:
            yield InputProblem(fields.place(node, name), fault)


def _missing_of(node: Node, templates: NodeTemplates, fields: WorkflowFields) -> Iterator[InputProblem]:
    inputs = fields.inputs_of(node)
    for name, template in _unfed(node, templates, fields):
        if not template.required or template.type.batch:
            continue
        if _is_empty(fields.value_of(node.id, name, inputs.get(name, {}))):
            yield InputProblem(fields.place(node, name), _why_missing(node, name, template, fields))


def _unfed(node: Node, templates: NodeTemplates, fields: WorkflowFields) -> Iterator[tuple[str, InputTemplate]]:
    """Yield the inputs of a node without an edge that has a source, including those of a called workflow."""
    known = templates[node.type].inputs
    described = ((name, dynamic_template(node, name)) for name in fields.inputs_of(node) if name not in known)
    for name, template in (*known.items(), *described):
        if template is not None and not fields.into(node.id, name):
            yield name, template


def _is_extra(node: Node, name: str) -> bool:
    """Return whether a node may have an input that is not in its template."""
    if node.type in NODES_WITH_EXTRA_INPUTS:
        return True
    # `call_problems` reports inputs that a called workflow does not expose.
    return is_called_input(node, name) or dynamic_template(node, name) is not None


def _is_empty(value: object) -> bool:
    return value is UNSET or value is None


def _why_missing(node: Node, name: str, template: InputTemplate, fields: WorkflowFields) -> str:
    what = "it needs an edge" if template.input == "connection" else "it needs a value"
    field = fields.get(node.id, name)
    if isinstance(field, ModelField) and field.unbound is not None:
        return f"{what}: {field.fault()}"
    dropped = fields.why_dropped(node.id, name)
    if dropped is not None:
        return f"{what}: {dropped}"
    unfed = fields.unfed_edge(node.id, name)
    if unfed is not None:
        return f"{what}: its edge comes from the connector {unfed.source}, which has no source"
    return what


def _unknown_node(node: Node) -> InputProblem:
    pack = f" of the node pack {node.node_pack!r}" if node.node_pack else ""
    return InputProblem(_place_of(node), f"the server lacks the node type {node.type!r}{pack}", unknown_type=node.type)


def _place_of(node: Node) -> FieldPlace:
    return FieldPlace(node.id, node.type, node.label, "")


def check_ready(problems: Sequence[InputProblem], *, definition: WorkflowDefinition, templates: NodeTemplates) -> None:
    """Raise one error with all problems of a workflow, if there are any.

    Raises:
        UnknownNodeError: the server lacks node types. There may be other problems as well.
        BatchError: batch nodes do not form a batch. There may be other problems as well.
        InputsNotReadyError: there are other problems.
    """
    if not problems:
        return
    unknown = [definition.nodes[problem.place.node_id] for problem in problems if problem.unknown_type is not None]
    sentences = [*_grouped(problem for problem in problems if problem.unknown_type is None)]
    if unknown:
        sentences.insert(0, "the server lacks the node types " + ", ".join(map(_with_pack, unknown)))
    what = f"{definition.source or definition.name or 'The workflow'} cannot run yet: {'; '.join(sentences)}."
    facts = tuple((problem.place.node_id, problem.place.name, problem.why) for problem in problems)
    if unknown:
        raise UnknownNodeError(
            what,
            node_types=tuple(dict.fromkeys(node.type for node in unknown)),
            node_ids=tuple(node.id for node in unknown),
            problems=facts,
            source=definition.source,
            hint=_remedy(unknown, templates),
        )
    hint = _what_to_do(problems, definition, templates)
    batches = tuple(dict.fromkeys(problem.place.node_id for problem in problems if problem.is_batch))
    if batches:
        raise BatchError(what, node_ids=batches, problems=facts, source=definition.source, hint=hint)
    raise InputsNotReadyError(what, problems=facts, source=definition.source, hint=hint)


def _what_to_do(problems: Sequence[InputProblem], definition: WorkflowDefinition, templates: NodeTemplates) -> str:
    if not any(problem.place.node_id for problem in problems):
        return "Mend the workflow in the web UI, and export it again."
    if any(_takes_model(problem.place, definition, templates) for problem in problems):
        return "Set them and submit again; sync_dnn_model() binds models."
    return "Set them and submit again."


def _takes_model(place: FieldPlace, definition: WorkflowDefinition, templates: NodeTemplates) -> bool:
    node = definition.nodes.get(place.node_id)
    template = templates[node.type].inputs.get(place.name) if node is not None and node.type in templates else None
    return template is not None and (is_model_type(template.type.name) or template.type.name == "LoRAField")


def _with_pack(node: Node) -> str:
    pack = f" of the node pack {node.node_pack!r}" if node.node_pack else ""
    return f"{node.type!r} (node {node.id}){pack}"


def _remedy(unknown: Sequence[Node], templates: NodeTemplates) -> str:
    packs = dict.fromkeys(node.node_pack for node in unknown if node.node_pack not in ("", "invokeai"))
    typos = {
        node.type: near[0]
        for node in unknown
        if node.node_pack in ("", "invokeai")
        and (near := difflib.get_close_matches(node.type, templates, n=1, cutoff=_NEAR))
    }
    hints = []
    if packs:
        hints.append(f"Install on the server: {', '.join(packs)}.")
    if typos:
        hints.append("Similar types on the server: " + ", ".join(dict.fromkeys(typos.values())) + ".")
    return " ".join(hints) or "Install the nodes on the server, or use a server version that has them."


def _grouped(problems: Iterable[InputProblem]) -> Iterator[str]:
    """Yield the problems as sentences. Inputs with the same problem share a sentence."""
    places: dict[str, list[InputProblem]] = {}
    for problem in problems:
        places.setdefault(problem.why, []).append(problem)
    for why, those in places.items():
        named = ", ".join(str(problem.place) for problem in those if problem.place.node_id)
        yield f"{named}: {why}" if named else why
