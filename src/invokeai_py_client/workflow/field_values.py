"""The values of a workflow's fields: those of its document, and those that were set on one handle."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from invokeai_py_client.workflow.connections import DroppedEdge, Origins, kept_edges
from invokeai_py_client.workflow.document import Node, WorkflowDefinition
from invokeai_py_client.workflow.dynamic_inputs import input_template
from invokeai_py_client.workflow.edge import Edge
from invokeai_py_client.workflow.field_factory import field_for
from invokeai_py_client.workflow.fields import UNSET, Field, FieldPlace
from invokeai_py_client.workflow.json_values import as_javascript
from invokeai_py_client.workflow.node_update import NODES_WITH_EXTRA_INPUTS, updated_inputs
from invokeai_py_client.workflow.resource_fields import ModelField
from invokeai_py_client.workflow.saved_values import board_images, saved_value
from invokeai_py_client.workflow.templates import ModelTerms, NodeTemplates, is_model_type, unknown_input


class WorkflowFields:
    """The values of one handle: a field for each input of each node, created at first use.

    Args:
        definition: the document; several handles may share it.
        templates: the server's node templates.
    """

    def __init__(self, definition: WorkflowDefinition, templates: NodeTemplates) -> None:
        self._definition = definition
        self._templates = templates
        self._fields: dict[tuple[str, str], Field[Any]] = {}
        self._inputs: dict[int, Mapping[str, Mapping[str, Any]]] = {}
        self._overridden: set[tuple[str, str]] = set()
        self._faults: dict[tuple[str, str], str | None] = {}

    def snapshot(self) -> WorkflowFields:
        """Return a copy with the current values and overridden edges."""
        twin = copy.copy(self)
        twin._overridden = {*self._overridden}
        twin._fields = {key: field._copy_among(twin) for key, field in [*self._fields.items()]}
        return twin

    @cached_property
    def _kept(self) -> tuple[tuple[Edge, ...], tuple[DroppedEdge, ...]]:
        return kept_edges(self._definition, self._templates)

    @cached_property
    def _fed(self) -> Mapping[str, set[str]]:
        """The names of the inputs that have an edge, by node id."""
        found: dict[str, set[str]] = {}
        for edge in self._kept[0]:
            found.setdefault(edge.target, set()).add(edge.target_field)
        return found

    @cached_property
    def _origins(self) -> Origins:
        return Origins(self._definition.first_nodes, self._kept[0])

    @cached_property
    def _into(self) -> tuple[Mapping[tuple[str, str], Sequence[Edge]], Mapping[tuple[str, str], Edge]]:
        """The edges by the input that they feed, and the first into each input from a connector without a source."""
        feeding: dict[tuple[str, str], list[Edge]] = {}
        unfed: dict[tuple[str, str], Edge] = {}
        for edge in self._kept[0]:
            place = (edge.target, edge.target_field)
            if self._origins.of(edge) is not None:
                feeding.setdefault(place, []).append(edge)
            else:
                unfed.setdefault(place, edge)
        return feeding, unfed

    @cached_property
    def _dropped(self) -> Mapping[tuple[str, str], str]:
        """The reason why the first invalid edge into each input is not valid."""
        found: dict[tuple[str, str], str] = {}
        for dropped in self.dropped_edges:
            found.setdefault((dropped.edge.target, dropped.edge.target_field), str(dropped))
        return found

    @cached_property
    def _targets(self) -> Mapping[str, set[tuple[str, str]]]:
        """The targets of the edges, by id of the source node."""
        found: dict[str, set[tuple[str, str]]] = {}
        for edge in self._kept[0]:
            found.setdefault(edge.source, set()).add((edge.target, edge.target_field))
        return found

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The valid edges of the document, without those that a value overrides.

        The first use checks the edges, which is slow for a large document.
        """
        edges, _ = self._kept
        if not self._overridden:
            return edges
        return tuple(edge for edge in edges if (edge.target, edge.target_field) not in self._overridden)

    @property
    def dropped_edges(self) -> tuple[DroppedEdge, ...]:
        """The invalid edges of the document."""
        return self._kept[1]

    def why_dropped(self, node_id: str, name: str) -> str | None:
        """Return why an edge into an input is not valid; None if there is no such edge."""
        return self._dropped.get((node_id, name))

    def source_of(self, edge: Edge) -> str:
        """Return the name of the node whose value an edge carries, behind connectors, for error messages."""
        node = self._definition.first_nodes[(self._origins.of(edge) or edge).source]
        return f"{node.label!r} ({node.type}, {node.id})" if node.label else f"{node.type} ({node.id})"

    def unfed_edge(self, node_id: str, name: str) -> Edge | None:
        """Return the edge into an input that comes from a connector without a source; None if there is none."""
        return None if (node_id, name) in self._overridden else self._into[1].get((node_id, name))

    def into(self, node_id: str, name: str) -> Sequence[Edge]:
        """Return the edges that feed an input; an empty sequence if a value overrides them."""
        return () if (node_id, name) in self._overridden else self._into[0].get((node_id, name), ())

    def is_overridden(self, node_id: str, name: str) -> bool:
        """Return whether a value overrides the edges into an input."""
        return (node_id, name) in self._overridden

    def override(self, node_id: str, name: str, removed: bool) -> None:
        """Remove the edges into an input, or restore them."""
        if removed:
            self._overridden.add((node_id, name))
        else:
            self._overridden.discard((node_id, name))

    def is_cut_off(self, node_id: str) -> bool:
        """Return whether values override all edges from a node; False if it has none."""
        fed = self._targets.get(node_id, set()) if self._overridden else set()
        return bool(fed) and self._overridden.issuperset(fed)

    def inputs_of(self, node: Node) -> Mapping[str, Mapping[str, Any]]:
        """Return the inputs of a node in the document, updated to the server's version of its type."""
        # Keyed by object, as ids may repeat.
        inputs = self._inputs.get(id(node))
        if inputs is None:
            template = self._templates.get(node.type)
            saved: Mapping[str, Mapping[str, Any]] = {
                name: _as_loaded(node, given, self._templates.model_terms) for name, given in node.inputs.items()
            }
            if template is not None:
                saved = updated_inputs(node, saved, template, connected=lambda: self._fed.get(node.id, set()))
            inputs = self._inputs[id(node)] = saved
        return inputs

    def names_of(self, node: Node) -> Sequence[str]:
        """Return the names of a node's inputs: those in the document, then further ones of its type."""
        template = self._templates.get(node.type)
        return [*dict.fromkeys([*self.inputs_of(node), *(() if template is None else template.inputs)])]

    def added(self) -> dict[int, list[str]]:
        """Return the names of the inputs that were set but are not in the document, by `id()` of the node."""
        found: dict[int, list[str]] = {}
        for (node_id, name), field in [*self._fields.items()]:
            if field.is_set and self._holder(node_id, name) is None:
                found.setdefault(id(self._definition.nodes[node_id]), []).append(name)
        return found

    def get(self, node_id: str, name: str) -> Field[Any] | None:
        """Return the field of an input; None if neither the document nor the node's type has the input.

        If the server lacks the node's type, or the type lacks the input, the field holds raw JSON.
        """
        field = self._fields.get((node_id, name))
        if field is None:
            field = self._make(node_id, name)
        if field is None:
            return None
        # `setdefault` is atomic: the caller's thread and the engine must get the same object.
        return self._fields.setdefault((node_id, name), field)

    def batched(self, edge: Edge) -> Field[Any] | None:
        """Return the field that an edge from a batch node feeds.

        None if the server cannot set it: if the edge leads to a connector, or to an input that the node's type does not
        have, such as one of a called workflow.
        """
        node = self._definition.nodes[edge.target]
        template = self._templates.get(node.type) if node.kind == "invocation" else None
        if template is None or edge.target_field not in template.inputs:
            return None
        return self.get(edge.target, edge.target_field)

    def _make(self, node_id: str, name: str) -> Field[Any] | None:
        holder = self._holder(node_id, name)
        node = holder or self._definition.nodes.get(node_id)
        if node is None:
            return None
        given = None if holder is None else self.inputs_of(holder)[name]
        template = self._templates.get(node.type)
        known = input_template(node, template, name) if template is not None else None
        if known is None:
            if given is None:
                return None
            known = unknown_input(name)
        initial = UNSET if given is None else given.get("value", UNSET)
        field = field_for(self.place(node, name), known, initial, edges=self, terms=self._templates.model_terms)
        if isinstance(field, ModelField):
            field.saved = self._definition.saved_models.get((node_id, name))
        return field

    def _holder(self, node_id: str, name: str) -> Node | None:
        """Return the node that has an input: the one that runs, otherwise the first with the id, for forms."""
        for nodes in (self._definition.nodes, self._definition.first_invocations):
            node = nodes.get(node_id)
            if node is not None and node.kind == "invocation" and name in self.inputs_of(node):
                return node
        return None

    def given(self, node_id: str, name: str) -> Mapping[str, Any]:
        """Return an input as it is in the document, {} if it is missing."""
        node = self._holder(node_id, name)
        return {} if node is None else self.inputs_of(node)[name]

    def title_of(self, node: Node) -> str:
        """Return the title of a node's type; the type itself if the server lacks it."""
        template = self._templates.get(node.type)
        return node.type if template is None else template.title

    def place(self, node: Node, name: str) -> FieldPlace:
        """Return the place of an input, with the label that the web UI shows for it."""
        template = self._templates.get(node.type)
        known = input_template(node, template, name) if template is not None else None
        label = self.inputs_of(node).get(name, {}).get("label") or ("" if known is None else known.title)
        return FieldPlace(node.id, node.type, node.label, name, str(label))

    def fault_of(self, node_id: str, name: str) -> str | None:
        """Return why the value of an input is invalid, None if it is valid; see `Field.fault`."""
        made = self._fields.get((node_id, name))
        if made is not None and made.is_changed:
            return made.fault()
        if (node_id, name) not in self._faults:
            # Cached, as the file does not change. Most inputs do not have a value that could be invalid.
            has_value = self.given(node_id, name).get("value", UNSET) is not UNSET
            has_value = has_value or (node_id, name) in self._definition.saved_models
            field = made or self._make(node_id, name) if has_value else None
            self._faults[node_id, name] = None if field is None else field.fault()
        return self._faults[node_id, name]

    def value_of(self, node_id: str, name: str, given: Mapping[str, Any]) -> Any:
        """Return the current value of an input: that of its field if there is one, otherwise that in the document."""
        field = self._fields.get((node_id, name))
        if field is None:
            return given.get("value", UNSET)
        # If ids repeat, the field belongs to only one of the nodes.
        held = self.given(node_id, name)
        return field.raw if held is given or not (held or given) else given.get("value", UNSET)

    def made(self) -> Iterator[Field[Any]]:
        """Yield the fields that were created so far; only these can differ from the document."""
        # A copy, as another thread may create further fields at the same time.
        yield from [*self._fields.values()]

    def changed(self) -> Iterator[tuple[str, str, Any]]:
        """Yield (node id, name, value) of the fields whose value differs from the document."""
        for (node_id, name), field in [*self._fields.items()]:
            if field.is_changed:
                yield node_id, name, field.raw

    def of_models(self, edges: Iterable[Edge]) -> Iterator[Field[Any]]:
        """Yield the fields that take models or LoRAs and have no edge, in document order."""
        fed = {(edge.target, edge.target_field) for edge in edges}
        for node in self._definition.nodes.values():
            template = self._templates.get(node.type) if node.kind == "invocation" else None
            if template is None:
                continue
            for name in self.names_of(node):
                known = input_template(node, template, name)
                if known is None or known.input == "connection" or (node.id, name) in fed:
                    continue
                if is_model_type(known.type.name) or known.type.name == "LoRAField":
                    field = self.get(node.id, name)
                    assert field is not None, "the name is one of the node's"
                    yield field


def _as_loaded(node: Node, given: Mapping[str, Any], terms: ModelTerms) -> Mapping[str, Any]:
    """Return an input as the web UI has it after loading a file."""
    raw = given.get("value", UNSET)
    value = UNSET
    if node.type == "image_generator" and isinstance(raw, Mapping) and raw.get("type") is not None:
        # By its shape, the web UI reads this value as a board, and then does not run its own file.
        value = board_images(raw)
    if value is UNSET:
        value = saved_value(raw, terms)
    if value is UNSET and raw is not UNSET and node.type in NODES_WITH_EXTRA_INPUTS:
        # These inputs hold arbitrary metadata.
        value = as_javascript(raw)
    if value is UNSET:
        return {part: said for part, said in given.items() if part != "value"}
    return {**given, "value": value}
