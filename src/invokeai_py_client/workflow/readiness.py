"""What keeps a workflow from running that can be known without a server (`fieldValidators.ts`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from invokeai_py_client.errors import InputsNotReadyError
from invokeai_py_client.workflow.connections import Origins
from invokeai_py_client.workflow.document import Edge, WorkflowDefinition
from invokeai_py_client.workflow.dynamic_inputs import dynamic_template
from invokeai_py_client.workflow.fields import UNSET, FieldPlace
from invokeai_py_client.workflow.graph import is_executable
from invokeai_py_client.workflow.inputs import WorkflowFields
from invokeai_py_client.workflow.templates import NodeTemplates


@dataclass(frozen=True, slots=True)
class InputProblem:
    """One input that keeps a workflow from running, and why."""

    place: FieldPlace
    why: str

    def __str__(self) -> str:
        return f"{self.place} (node {self.place.node_id}): {self.why}"


def missing_inputs(
    definition: WorkflowDefinition, templates: NodeTemplates, fields: WorkflowFields, edges: Sequence[Edge]
) -> list[InputProblem]:
    """The inputs that a node cannot do without, and that have neither a value nor an edge that brings one.

    The server would take such a graph, and fail when it comes to the node.

    Args:
        definition: the document.
        templates: the server's node templates.
        fields: the values.
        edges: those of the document's edges that hold.
    """
    origins = Origins(definition.first_nodes, edges)
    fed = {(edge.target, edge.target_field) for edge in edges if origins.of(edge) is not None}
    problems = []
    for node in definition.nodes.values():
        if not is_executable(node) or node.type not in templates:
            continue
        inputs = fields.inputs_of(node)
        known = templates[node.type].inputs
        described = {name: dynamic_template(node, name) for name in inputs if name not in known}
        for name, template in (*known.items(), *described.items()):
            if template is None or not template.required or (node.id, name) in fed:
                continue
            value = fields.value_of(node.id, name, inputs[name]) if name in inputs else UNSET
            if value is UNSET or value is None or value == "":
                why = "it needs an edge" if template.input == "connection" else "it needs a value"
                problems.append(InputProblem(FieldPlace(node.id, node.type, node.label, name), why))
    return problems


def check_ready(problems: Sequence[InputProblem], *, source: str | None) -> None:
    """Refuse to run a workflow that is not ready, with everything that it lacks.

    Raises:
        InputsNotReadyError: there are problems.
    """
    if problems:
        raise InputsNotReadyError(
            f"{source or 'The workflow'} cannot run yet: " + "; ".join(map(str, problems)) + ".",
            problems=tuple((problem.place.node_id, problem.place.name, problem.why) for problem in problems),
            source=source,
            hint="Set them and submit again; models are bound by sync_dnn_model().",
        )
