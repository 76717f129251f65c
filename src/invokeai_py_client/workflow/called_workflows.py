"""Workflows that a workflow calls: their exposed inputs, and the reasons why they cannot be called.

The inputs follow the web UI (`callSavedWorkflowFormUtils.ts`, `refreshCallSavedWorkflowDynamicInputs`), the checks
follow what the server does when a call is reached (`workflow_call_runtime.py`, `workflow_graph_builder.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from invokeai_py_client.errors import WorkflowError
from invokeai_py_client.workflow.document import Node, WorkflowDefinition
from invokeai_py_client.workflow.dynamic_inputs import (
    CALL_NODE,
    called_input_name,
    dynamic_template,
    is_called_input,
    template_as_json,
)
from invokeai_py_client.workflow.edge import Edge
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.json_values import copied
from invokeai_py_client.workflow.readiness import InputProblem, missing_inputs
from invokeai_py_client.workflow.templates import STATEFUL_FIELDS, InputTemplate, NodeTemplates, is_model_type

RETURN_NODE = "workflow_return"

_FATAL_REASONS = {"unsupported_node"}
"""The server's reasons against calling a workflow that hold whatever the caller's inputs are.

For the others, the server checks the workflow with placeholders for the exposed inputs, so it may reject workflows that
would run.
"""

CalledWorkflows = Mapping[str, "CalledWorkflow"]
"""The workflows of the library that are called, directly or indirectly, by id."""


class CalledWorkflow(NamedTuple):
    """A workflow of the library, or the reason why it cannot be called.

    `fault` is empty for one that can be called; one that cannot may lack a definition.
    """

    workflow_id: str
    name: str
    definition: WorkflowDefinition | None
    fault: str = ""

    def __str__(self) -> str:
        return f"{self.name!r} ({self.workflow_id})" if self.name else repr(self.workflow_id)


class ExposedInput(NamedTuple):
    """An input that a called workflow exposes, as a call node has it.

    `template.name` is the input's name on the call node; `value` is what the called workflow has saved for it.
    """

    template: InputTemplate
    label: str
    description: str
    value: Any


def read_called_workflow(
    workflow_id: str,
    name: str,
    document: Mapping[str, Any],
    verdict: Mapping[str, Any] | None,
    templates: NodeTemplates,
) -> CalledWorkflow:
    """Read a workflow of the library, and find faults that inputs from the caller cannot correct.

    Args:
        workflow_id: its id.
        name: its name.
        document: its document.
        verdict: the server's `call_saved_workflow_compatibility` for it; None if the server does not send one.
        templates: the server's node templates.
    """
    try:
        definition = WorkflowDefinition.from_dict(document, source=name or workflow_id)
    except WorkflowError as error:
        return CalledWorkflow(workflow_id, name, None, f"its document cannot be read: {error}")
    return CalledWorkflow(workflow_id, name, definition, _fault(definition, verdict or {}, templates))


def _fault(definition: WorkflowDefinition, verdict: Mapping[str, Any], templates: NodeTemplates) -> str:
    nodes = [node for node in definition.nodes.values() if node.kind == "invocation"]
    unknown = [node for node in nodes if node.type not in templates]
    if unknown:
        return "the server lacks the node types " + ", ".join(sorted({repr(node.type) for node in unknown}))
    returns = sum(node.type == RETURN_NODE for node in nodes)
    if returns != 1:
        return f"it has {returns or 'no'} {RETURN_NODE} node{'s' if returns > 1 else ''}, and needs exactly one"
    if verdict.get("is_callable") is False and verdict.get("reason") in _FATAL_REASONS:
        return str(verdict.get("message") or verdict.get("reason"))
    return ""


def calls_in(definition: WorkflowDefinition, fields: WorkflowFields) -> Iterator[tuple[Node, str]]:
    """Yield each call node whose workflow id does not come from an edge, with that id, which may be empty."""
    fed = {(edge.target, edge.target_field) for edge in definition.edges}
    for node in definition.nodes.values():
        if node.kind == "invocation" and node.type == CALL_NODE and (node.id, "workflow_id") not in fed:
            workflow_id = fields.value_of(node.id, "workflow_id", fields.inputs_of(node).get("workflow_id", {}))
            yield node, workflow_id if isinstance(workflow_id, str) else ""


def exposed_inputs(callee: WorkflowDefinition, templates: NodeTemplates) -> dict[str, ExposedInput]:
    """Return the inputs that a workflow exposes to its callers, by their names on a call node, in the form's order.

    Those are the inputs of its form, or, if the form shows none, its exposed fields.
    """
    found: dict[str, ExposedInput] = {}
    for node_id, field_name in callee.form_fields or callee.exposed_fields:
        node = callee.nodes.get(node_id)
        template = templates.get(node.type) if node is not None and node.kind == "invocation" else None
        known = None if template is None else template.inputs.get(field_name)
        if node is None or known is None or field_name not in node.inputs or not _can_hold_a_value(known):
            continue
        given = node.inputs[field_name]
        name = called_input_name(node_id, field_name)
        label = str(given.get("label") or known.title)
        description = str(given.get("description") or known.description)
        found[name] = ExposedInput(
            # Whether the called workflow has an edge for the input does not matter: its caller may use either.
            template=replace(known, name=name, title=label, description=description, input="any", is_hidden=False),
            label=label,
            description=description,
            value=given.get("value"),
        )
    return found


def _can_hold_a_value(template: InputTemplate) -> bool:
    return template.type.name in STATEFUL_FIELDS or is_model_type(template.type.name)


def with_called_inputs(
    definition: WorkflowDefinition, called: CalledWorkflows, templates: NodeTemplates
) -> WorkflowDefinition:
    """Update the inputs of the call nodes to the current versions of the called workflows.

    Types, labels and descriptions become those of the called workflow. Newly exposed inputs are added, with the value
    in the called workflow. Values in the document are kept, even if the called workflow no longer accepts them:
    `call_problems` reports these.

    Args:
        definition: the caller.
        called: the workflows that it calls.
        templates: the server's node templates.

    Returns:
        A new definition; the same one if nothing is called.
    """
    current = {
        node.id: exposed_inputs(callee, templates)
        for node, workflow_id in calls_in(definition, WorkflowFields(definition, templates))
        if workflow_id in called and (callee := called[workflow_id].definition) is not None
    }
    if not current:
        return definition
    document = definition.to_dict()
    for written, node in zip(document["nodes"], definition.all_nodes, strict=True):
        # Another node, such as a note, may have the id of a call node.
        inputs = current.get(node.id, {}) if definition.nodes[node.id] is node else {}
        data = written["data"]
        for name, exposed in inputs.items():
            described = data.get("dynamicInputTemplates")
            if not isinstance(described, dict):
                described = data["dynamicInputTemplates"] = {}
            described[name] = template_as_json(exposed.template)
            given = data["inputs"].get(name)
            if given is None:
                given = data["inputs"][name] = {"name": name}
                if exposed.value is not None:
                    given["value"] = copied(exposed.value)
            given |= {"label": exposed.label, "description": exposed.description}
    return WorkflowDefinition(document, source=definition.source, saved_models=definition.saved_models)


def call_problems(
    original: WorkflowDefinition,
    definition: WorkflowDefinition,
    templates: NodeTemplates,
    fields: WorkflowFields,
    edges: Sequence[Edge],
    called: CalledWorkflows,
) -> list[InputProblem]:
    """Find what would make a call fail when the server reaches it.

    Args:
        original: the document as its author saved it.
        definition: the document updated by `with_called_inputs`.
        templates: the server's node templates.
        fields: the values.
        edges: the valid edges of the document.
        called: the called workflows.
    """
    problems: list[InputProblem] = []
    for node, workflow_id in calls_in(definition, fields):
        call = _Call(node, original, templates, fields, edges)
        if not workflow_id:
            problems.append(call.problem("workflow_id", "no workflow is chosen; set it to the id of a saved workflow"))
            continue
        workflow = called.get(workflow_id)
        if workflow is None:
            # The server does not support calls, which is reported as an unknown node type.
            continue
        if workflow.fault or workflow.definition is None:
            problems.append(call.problem("workflow_id", f"the workflow {workflow} cannot be called: {workflow.fault}"))
            continue
        problems += call.inputs_that_do_not_fit(workflow, exposed_inputs(workflow.definition, templates))
        problems += call.inputs_that_are_missing(workflow.definition, workflow)
        problems += call.faults_further_down(workflow, called)
    return problems


def ignored_inputs(called: CalledWorkflows, templates: NodeTemplates) -> Iterator[str]:
    """Yield a sentence for each called workflow whose inputs for a nested call have no effect.

    When the server (6.14) builds the graph of a called workflow, it ignores the values of its call nodes, so the
    workflow that these call runs with its own values.
    """
    for workflow in called.values():
        if workflow.definition is None:
            continue
        for node, workflow_id in calls_in(workflow.definition, WorkflowFields(workflow.definition, templates)):
            inner = called.get(workflow_id)
            own = {} if inner is None or inner.definition is None else exposed_inputs(inner.definition, templates)
            fed = {edge.target_field for edge in workflow.definition.edges if edge.target == node.id}
            lost = [
                own[name].label
                for name, given in node.inputs.items()
                if name in own and name not in fed and given.get("value") not in (None, own[name].value)
            ]
            if lost:
                labels = ", ".join(map(repr, lost))
                yield (
                    f"the workflow {workflow} calls {inner} at its node {node.id!r} and sets its {labels}: the server "
                    "ignores these values, and only passes on values from edges"
                )


class _Call:
    """A call node, with the values and edges of the handle."""

    def __init__(
        self,
        node: Node,
        original: WorkflowDefinition,
        templates: NodeTemplates,
        fields: WorkflowFields,
        edges: Sequence[Edge],
    ) -> None:
        self._node = node
        self._original = original.nodes[node.id]
        self._templates = templates
        self._fields = fields
        self._fed = {edge.target_field for edge in edges if edge.target == node.id}

    def problem(self, name: str, why: str) -> InputProblem:
        return InputProblem(self._fields.place(self._node, name), why)

    def inputs_that_do_not_fit(
        self, workflow: CalledWorkflow, exposed: Mapping[str, ExposedInput]
    ) -> Iterator[InputProblem]:
        for name, given in self._fields.inputs_of(self._node).items():
            if not is_called_input(self._node, name) or not self._is_given(name, given):
                continue
            if name not in exposed:
                yield self.problem(
                    name,
                    f"the workflow {workflow} no longer exposes it; expose it there again, or open this workflow in "
                    "the web UI, which removes the input, and save it",
                )
                continue
            now = exposed[name].template.type
            known, saved = dynamic_template(self._node, name), dynamic_template(self._original, name)
            if known is not None and known.type != now:
                yield self.problem(
                    name,
                    f"the workflow {workflow} was changed: the type of this input is now {now}, not {known.type}; "
                    "create the handle again with create_workflow(), and set the input",
                )
            elif saved is not None and saved.type != now and name not in self._fed and not self._is_changed(name):
                yield self.problem(
                    name,
                    f"its value was saved with the type {saved.type}, and the workflow {workflow} now takes {now}: "
                    "set the input again",
                )

    def inputs_that_are_missing(self, callee: WorkflowDefinition, workflow: CalledWorkflow) -> Iterator[InputProblem]:
        """Yield a problem for each required input of the called workflow that neither it nor this call supplies."""
        exposed = exposed_inputs(callee, self._templates)
        inputs = self._fields.inputs_of(self._node)
        for lack in missing_inputs(callee, self._templates, WorkflowFields(callee, self._templates)):
            name = called_input_name(lack.place.node_id, lack.place.name)
            if name in exposed and name in inputs:
                # The input of the call node is also required, and checked with all other inputs.
                continue
            if name in exposed:
                why = (
                    f"the workflow {workflow} now needs a value for it; create the handle again with "
                    "create_workflow(), and set the input"
                )
                yield self.problem(name, why)
            else:
                why = f"the workflow {workflow} is not complete: {lack}; complete or expose it there"
                yield self.problem("workflow_id", why)

    def faults_further_down(self, workflow: CalledWorkflow, called: CalledWorkflows) -> Iterator[InputProblem]:
        """Yield a problem for each nested call, direct or indirect, of a workflow that cannot be called."""
        seen, todo = {workflow.workflow_id}, [workflow]
        while todo:
            caller = todo.pop()
            if caller.definition is None:
                continue
            for node, workflow_id in calls_in(caller.definition, WorkflowFields(caller.definition, self._templates)):
                inner = called.get(workflow_id)
                if not workflow_id or (inner is not None and inner.fault):
                    fault = "no workflow is chosen" if inner is None else f"{inner} cannot be called: {inner.fault}"
                    why = f"the workflow {caller} calls another at its node {node.id!r}, but {fault}; correct it there"
                    yield self.problem("workflow_id", why)
                elif inner is not None and workflow_id not in seen:
                    seen.add(workflow_id)
                    todo.append(inner)

    def _is_given(self, name: str, given: Mapping[str, Any]) -> bool:
        return name in self._fed or self._fields.value_of(self._node.id, name, given) is not UNSET

    def _is_changed(self, name: str) -> bool:
        return any((node_id, changed) == (self._node.id, name) for node_id, changed, _ in self._fields.changed())
