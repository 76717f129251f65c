"""The workflow of a plan: what no column varies, and its hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from invokeai_py_client.batch.cells import Terms, part_term
from invokeai_py_client.batch.plan_data import PlannedWorkflow, model_name
from invokeai_py_client.batch.row_values import PlanAxis
from invokeai_py_client.workflow.called_workflows import CalledWorkflows
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.edge import Edge
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.inputs import WorkflowInput, WorkflowInputs, shown_inputs
from invokeai_py_client.workflow.references import ModelReference, references_in
from invokeai_py_client.workflow.seeds import seed_inputs
from invokeai_py_client.workflow.templates import NodeTemplates


@dataclass(slots=True, eq=False)
class BaseWorkflow:
    """The workflow that a plan is made of.

    Args:
        definition: the document as its author saved it.
        current: the document, with its calls of other workflows updated.
        templates: the server's node templates.
        fields: the values; the edges that columns replace are removed from them while the plan is made.
    """

    definition: WorkflowDefinition
    current: WorkflowDefinition
    templates: NodeTemplates
    fields: WorkflowFields
    inputs: WorkflowInputs = field(init=False)
    _saved: WorkflowFields = field(init=False)

    def __post_init__(self) -> None:
        self.inputs = shown_inputs(self.current, self.templates, self.fields)
        self._saved = self.fields.snapshot()

    def planned(self, axes: Sequence[PlanAxis], terms: Terms, called: CalledWorkflows) -> PlannedWorkflow:
        """Return the workflow of a plan with these axes.

        Args:
            axes: the axes.
            terms: computes the hashes of values.
            called: the saved workflows that it calls.
        """
        columns = [column for axis in axes for column in axis.columns]
        numbers = {place: number for number, column in enumerate(columns) for place in column.places}
        edges = self.fields.edges
        fed = {(edge.target, edge.target_field) for edge in edges}
        nodes = [node for node in self.current.all_nodes if node.kind == "invocation"]
        structure = sum(part_term("node", node.id, node.type, node.version, node.is_intermediate) for node in nodes)
        structure += sum(part_term("edge", *_ends(edge)) for edge in self.current.edges)
        base = structure + sum(part_term("edge used", *_ends(edge)) for edge in edges)
        base += sum(_called_term(one.definition) for one in called.values() if one.definition is not None)
        models: set[str] = set()
        added = self.fields.added()
        for node in nodes:
            given = self.fields.inputs_of(node)
            for name in (*given, *added.get(id(node), ())):
                place = (node.id, name)
                raw = self.fields.value_of(node.id, name, given.get(name, {}))
                if place not in numbers and place not in fed and raw is not UNSET:
                    base += terms.of_places([place], raw)
                    made = self.fields.get(*place)
                    if made is not None and made.template.type.name == "ModelIdentifierField":
                        models.add(model_name(raw))
        seeds = [
            (numbers.get(place, -1), None if place in fed else one.field.raw)
            for one in self.seed_inputs()
            for place in [(one.node_id, one.field_name)]
        ]
        return PlannedWorkflow(
            self.definition,
            self._saved,
            self.fields,
            f"{structure % 2**256:064x}"[:32],
            base,
            seeds,
            frozenset(filter(None, models)),
        )

    def seed_inputs(self) -> list[WorkflowInput]:
        """Return the inputs that make a run random; see `workflow/seeds.py`."""
        return seed_inputs(self.current, self.fields, self.inputs)

    def models(self) -> list[ModelReference]:
        """Return the models that the workflow refers to by name, which only the server can resolve."""
        found = (reference for one in self.fields.made() for reference in references_in(one.raw))
        return [*dict.fromkeys(one for one in found if isinstance(one, ModelReference))]


def _called_term(definition: WorkflowDefinition) -> int:
    """Return the term of a called workflow: its nodes with their values, and its edges."""
    nodes = [
        [node.id, node.type, node.version, {name: given.get("value") for name, given in node.inputs.items()}]
        for node in definition.all_nodes
        if node.kind == "invocation"
    ]
    return part_term("called", sorted(nodes, key=lambda node: str(node[0])), sorted(map(_ends, definition.edges)))


def _ends(edge: Edge) -> tuple[str, str, str, str]:
    return edge.source, edge.source_field, edge.target, edge.target_field
