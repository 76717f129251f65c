"""The inputs of a workflow: all its fields, and those of them that its form shows, in order."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, SupportsIndex, overload

from invokeai_py_client.errors import InputNotFoundError, InputValueError
from invokeai_py_client.workflow.connections import Origins, kept_edges
from invokeai_py_client.workflow.document import Node, WorkflowDefinition
from invokeai_py_client.workflow.dynamic_inputs import input_template
from invokeai_py_client.workflow.edge import Edge
from invokeai_py_client.workflow.field_kinds import field_for
from invokeai_py_client.workflow.fields import UNSET, Field, FieldPlace
from invokeai_py_client.workflow.json_values import as_javascript
from invokeai_py_client.workflow.node_update import NODES_WITH_EXTRA_INPUTS, updated_inputs
from invokeai_py_client.workflow.resource_fields import ModelField
from invokeai_py_client.workflow.saved_values import board_images, saved_value
from invokeai_py_client.workflow.templates import ModelTerms, NodeTemplates, unknown_input

InputKey = int | str | tuple[str, str]
"""How an input is named: by index, label, or (node id, label or type, field name)."""


class WorkflowFields:
    """The values of one handle: a field for each input of each node, made when it is first asked for.

    Args:
        definition: the document; many handles may share it.
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
        """Return a copy with the values and overridden edges as they are now."""
        twin = copy.copy(self)
        twin._overridden = {*self._overridden}
        twin._fields = {key: field._copy_among(twin) for key, field in [*self._fields.items()]}
        return twin

    @cached_property
    def _kept(self) -> tuple[tuple[Edge, ...], tuple[str, ...]]:
        return kept_edges(self._definition, self._templates)

    @cached_property
    def _fed(self) -> Mapping[str, set[str]]:
        """The names of the inputs that have an edge, by node id."""
        found: dict[str, set[str]] = {}
        for edge in self._kept[0]:
            found.setdefault(edge.target, set()).add(edge.target_field)
        return found

    @cached_property
    def _into(self) -> Mapping[tuple[str, str], Sequence[Edge]]:
        """The edges that bring a value, by the input that they feed: a connector that nothing feeds brings none."""
        edges, _ = self._kept
        origins = Origins(self._definition.first_nodes, edges)
        found: dict[tuple[str, str], list[Edge]] = {}
        for edge in edges:
            if origins.of(edge) is not None:
                found.setdefault((edge.target, edge.target_field), []).append(edge)
        return found

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The document's edges that hold, without those that a value overrides."""
        return self.check_edges()

    def check_edges(self) -> tuple[Edge, ...]:
        """Return `edges`. The first call checks them, which takes its time on a large document."""
        edges, _ = self._kept
        if not self._overridden:
            return edges
        return tuple(edge for edge in edges if (edge.target, edge.target_field) not in self._overridden)

    @property
    def edge_warnings(self) -> tuple[str, ...]:
        """A sentence for each edge of the document that does not hold."""
        return self._kept[1]

    def why_dropped(self, node_id: str, name: str) -> str | None:
        """Say why an edge into an input does not hold, None if there is no such edge."""
        for edge in self._definition.edges:
            if (edge.target, edge.target_field) == (node_id, name):
                start = f"edge {edge} is left out: "
                found = next((warning for warning in self.edge_warnings if warning.startswith(start)), None)
                if found is not None:
                    return found
        return None

    def into(self, node_id: str, name: str) -> Sequence[Edge]:
        """Return the edges that feed an input; none where a value overrides them."""
        return () if (node_id, name) in self._overridden else self._into.get((node_id, name), ())

    def is_overridden(self, node_id: str, name: str) -> bool:
        """Return whether a value overrides the edges into an input."""
        return (node_id, name) in self._overridden

    def override(self, node_id: str, name: str, removed: bool) -> None:
        """Remove the edges into an input, or bring them back."""
        if removed:
            self._overridden.add((node_id, name))
        else:
            self._overridden.discard((node_id, name))

    def is_cut_off(self, node_id: str) -> bool:
        """Return whether a node fed other nodes only by edges that values override."""
        if not self._overridden:
            return False
        fed = [(edge.target, edge.target_field) for edge in self._kept[0] if edge.source == node_id]
        return bool(fed) and self._overridden.issuperset(fed)

    def inputs_of(self, node: Node) -> Mapping[str, Mapping[str, Any]]:
        """The inputs of a node as the document has them, brought to the server's version of its type."""
        # By the node, not by its id, which another node may have too.
        inputs = self._inputs.get(id(node))
        if inputs is None:
            template = self._templates.get(node.type)
            saved: Mapping[str, Mapping[str, Any]] = {
                name: _as_loaded(node, given, self._templates.model_terms) for name, given in node.inputs.items()
            }
            if template is not None:
                saved = updated_inputs(node, saved, template, connected=lambda: self._connected(node))
            inputs = self._inputs[id(node)] = saved
        return inputs

    def _connected(self, node: Node) -> set[str]:
        return self._fed.get(node.id, set())

    def names_of(self, node: Node) -> Sequence[str]:
        """Return the names of a node's inputs: those of the document, and the others of its type, which can be set."""
        template = self._templates.get(node.type)
        return [*dict.fromkeys([*self.inputs_of(node), *(() if template is None else template.inputs)])]

    def added(self) -> dict[int, list[str]]:
        """Return the inputs that were set although the document's nodes do not have them: names by `id` of the node."""
        found: dict[int, list[str]] = {}
        for (node_id, name), field in [*self._fields.items()]:
            if field.is_set and self._holder(node_id, name) is None:
                found.setdefault(id(self._definition.nodes[node_id]), []).append(name)
        return found

    def get(self, node_id: str, name: str) -> Field[Any] | None:
        """The field of an input; None where neither the document nor the node's type has such an input.

        Where the server lacks the node's type, or the type lacks the input, the field holds raw JSON.
        """
        field = self._fields.get((node_id, name))
        if field is None:
            field = self._make(node_id, name)
        if field is None:
            return None
        # Atomic: the caller's thread and the engine may both make the field, and must get the same one.
        return self._fields.setdefault((node_id, name), field)

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
        field = field_for(self.place(node, name), known, initial, edges=self)
        if isinstance(field, ModelField):
            field.saved = self._definition.saved_models.get((node_id, name))
        return field

    def _holder(self, node_id: str, name: str) -> Node | None:
        """Return the node that has an input: the one that runs, else, where ids repeat, the one that a form means."""
        for nodes in (self._definition.nodes, self._definition.first_invocations):
            node = nodes.get(node_id)
            if node is not None and node.kind == "invocation" and name in self.inputs_of(node):
                return node
        return None

    def given(self, node_id: str, name: str) -> Mapping[str, Any]:
        """Return what the document says of an input, {} if it has none of that name."""
        node = self._holder(node_id, name)
        return {} if node is None else self.inputs_of(node)[name]

    def title_of(self, node: Node) -> str:
        """Return the title of a node's type, the type itself where the server lacks it."""
        template = self._templates.get(node.type)
        return node.type if template is None else template.title

    def place(self, node: Node, name: str) -> FieldPlace:
        """Return where an input of a node is, with the label that the web UI shows for it."""
        template = self._templates.get(node.type)
        known = input_template(node, template, name) if template is not None else None
        label = self.inputs_of(node).get(name, {}).get("label") or ("" if known is None else known.title)
        return FieldPlace(node.id, node.type, node.label, name, str(label))

    def fault_of(self, node_id: str, name: str) -> str | None:
        """Say what is wrong with the value of an input, None if nothing is; see `Field.fault`."""
        made = self._fields.get((node_id, name))
        if made is not None and made.is_changed:
            return made.fault()
        if (node_id, name) not in self._faults:
            # What the file holds does not change. Most inputs hold nothing that could be wrong.
            has_value = self.given(node_id, name).get("value", UNSET) is not UNSET
            has_value = has_value or (node_id, name) in self._definition.saved_models
            field = made or self._make(node_id, name) if has_value else None
            self._faults[node_id, name] = None if field is None else field.fault()
        return self._faults[node_id, name]

    def value_of(self, node_id: str, name: str, given: Mapping[str, Any]) -> Any:
        """The value that an input has now: its field's, if one was made, else what the document gives."""
        field = self._fields.get((node_id, name))
        if field is None:
            return given.get("value", UNSET)
        # Where ids repeat, the field is of one of the nodes only.
        held = self.given(node_id, name)
        return field.raw if held is given or not (held or given) else given.get("value", UNSET)

    def made(self) -> Iterator[Field[Any]]:
        """The fields that were asked for so far, whose values alone can differ from the document's."""
        # A copy: another thread may ask for a further field meanwhile.
        yield from [*self._fields.values()]

    def changed(self) -> Iterator[tuple[str, str, Any]]:
        """(node id, name, value) of the fields that have another value than the document."""
        for (node_id, name), field in [*self._fields.items()]:
            if field.is_changed:
                yield node_id, name, field.raw

    def of_models(self, edges: Iterable[Edge]) -> Iterator[ModelField]:
        """The fields that take a model and are fed by none of the edges, in document order."""
        fed = {(edge.target, edge.target_field) for edge in edges}
        for node in self._definition.nodes.values():
            template = self._templates.get(node.type) if node.kind == "invocation" else None
            if template is None:
                continue
            for name in self.names_of(node):
                known = input_template(node, template, name)
                if known is None or known.input == "connection" or (node.id, name) in fed:
                    continue
                field = self.get(node.id, name)
                if isinstance(field, ModelField):
                    yield field


@dataclass(slots=True)
class WorkflowInput:
    """An input of the workflow; setting `value` sets its field's.

    `label` is what the web UI shows: the input's own label, else its template's title. `index` is its place in the
    form, None for an input that the form does not show.
    """

    index: int | None
    label: str
    description: str
    field: Field[Any]

    @property
    def value(self) -> Any:
        """The field's value; assigning one checks it. See `Field.value`."""
        return self.field.value

    @value.setter
    def value(self, value: Any) -> None:
        self.field.value = value

    def set(self, value: Any, *, override_edge: bool = False) -> None:
        """Set the value, as assigning `value` does; see `Field.set`.

        Args:
            value: the value; None goes back to the file's value, or empties an input that may be null.
            override_edge: remove the edges that feed the input, in what this handle submits.

        Raises:
            InputConnectedError: an edge feeds the input, and `override_edge` is False.
            InputValueError: the template does not allow the value; the input keeps what it had.

        Example:
            >>> wf.inputs["noise", "seed"].set(7, override_edge=True)
        """
        self.field.set(value, override_edge=override_edge)

    @property
    def edge(self) -> Edge | None:
        """The edge that feeds the input, None where it uses its own value."""
        return self.field.edge

    @property
    def node_id(self) -> str:
        """The id of its node."""
        return self.field.place.node_id

    @property
    def field_name(self) -> str:
        """Its name on its node."""
        return self.field.place.name

    @property
    def type_name(self) -> str:
        """What it takes, in the server's terms."""
        return self.field.type_name

    @property
    def required(self) -> bool:
        """Whether a run fails without it."""
        return self.field.template.required

    def __str__(self) -> str:
        place = f"[{self.index}] " if self.index is not None else ""
        return f"{place}{self.label} ({self.field.place.path}: {self.type_name})"


class WorkflowInputs(Sequence[WorkflowInput]):
    """A workflow's inputs in the order of its form: by index, by label, or by (node, field name).

    A node is named by its id, by its label or by its type, as long as only one node with that field answers. By (node,
    field name) any other input of a node is found too, although the form does not show it.

    Example:
        >>> wf.inputs["Positive Prompt"].value = "a tiger cub"
        >>> wf.inputs["noise", "seed"].value = 7
        >>> wf.inputs[0].label
        'Model'
    """

    def __init__(self, inputs: Sequence[WorkflowInput], nodes: WorkflowNodes) -> None:
        self._inputs = tuple(inputs)
        self.nodes = nodes
        """All nodes that run, with their inputs."""

    def __len__(self) -> int:
        return len(self._inputs)

    def __iter__(self) -> Iterator[WorkflowInput]:
        return iter(self._inputs)

    @overload
    def __getitem__(self, key: int | str | tuple[str, str]) -> WorkflowInput: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[WorkflowInput]: ...
    def __getitem__(self, key: int | str | tuple[str, str] | slice) -> WorkflowInput | Sequence[WorkflowInput]:
        """The input of that index, label, or (node id, label or type, field name).

        Raises:
            InputNotFoundError: there is none, or several; it lists the choices and the nearest match.
        """
        if isinstance(key, slice):
            return self._inputs[key]
        if isinstance(key, str):
            return self._one(key, [i for i in self if i.label == key] or [i for i in self if _same(i.label, key)])
        if isinstance(key, tuple):
            if len(key) != 2 or not all(isinstance(part, str) for part in key):
                raise self._not_found(f"No input answers to {key!r}.", key)
            return self._of_node(*key)
        return self._at(key)

    def _at(self, key: SupportsIndex) -> WorkflowInput:
        try:
            return self._inputs[key]
        except (IndexError, TypeError):
            raise self._not_found(f"There is no input {key!r}: this workflow has {len(self)}.", key) from None

    def _of_node(self, node: str, name: str) -> WorkflowInput:
        nodes = self.nodes.answering_to(node)
        if not nodes:
            raise self.nodes._not_found(node, key=(node, name))
        owners = [one for one in nodes if name in one.inputs.names]
        if not owners:
            raise _no_such_field(nodes, name, (node, name))
        shown = [i for i in self if i.field_name == name and i.node_id in {one.id for one in owners}]
        return self._one((node, name), shown or [one.inputs[name] for one in owners])

    def _one(self, key: object, found: Sequence[WorkflowInput]) -> WorkflowInput:
        # A form may show one field twice.
        different = {(i.node_id, i.field_name): i for i in reversed(found)}
        if len(different) == 1:
            return found[0]
        if found:
            raise InputNotFoundError(
                f"{len(different)} inputs answer to {key!r}: {', '.join(map(str, found))}.",
                key=key,
                choices=tuple(map(str, found)),
                hint="Name the one that you mean by its index, or by (node id, field name): "
                + ", ".join(repr(place) for place in reversed(different))
                + ".",
            )
        raise self._not_found(f"No input answers to {key!r}.", key)

    def _not_found(self, what: str, key: object) -> InputNotFoundError:
        choices = tuple(map(str, self))
        labels = {i.label.casefold(): i.label for i in self}
        near = difflib.get_close_matches(key.casefold(), labels, n=1) if isinstance(key, str) else []
        hint = f"Did you mean {labels[near[0]]!r}? " if near else ""
        hidden = self.nodes.places_of(key) if isinstance(key, str) else []
        if hidden:
            hint += (
                "The form does not show it, but nodes have it: "
                + ", ".join(f"wf.inputs[{place}]" for place in hidden[:5])
                + ". "
            )
        return InputNotFoundError(
            what,
            key=key,
            choices=choices,
            hint=f"{hint}The inputs of the form: {', '.join(choices) or 'none'}. wf.nodes lists those of all nodes.",
        )


class NodeInputs(Sequence[WorkflowInput]):
    """The inputs of one node, whether or not the form shows them: by field name, by label, or by place."""

    def __init__(
        self, node: WorkflowNode, fields: WorkflowFields, shown: Mapping[tuple[str, str], WorkflowInput]
    ) -> None:
        self._node = node
        self._fields = fields
        self._shown = shown

    @property
    def names(self) -> tuple[str, ...]:
        """The field names."""
        return tuple(self._fields.names_of(self._node.node))

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[WorkflowInput]:
        return map(self._named, self.names)

    @overload
    def __getitem__(self, key: int | str) -> WorkflowInput: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[WorkflowInput]: ...
    def __getitem__(self, key: int | str | slice) -> WorkflowInput | Sequence[WorkflowInput]:
        """The input of that field name, label or place.

        Raises:
            InputNotFoundError: the node has no such field; it lists those that it has.
        """
        if isinstance(key, slice):
            return [self._named(name) for name in self.names[key]]
        if isinstance(key, str):
            if key in self.names:
                return self._named(key)
            labelled = [one for one in self if _same(one.label, key)]
            if len(labelled) == 1:
                return labelled[0]
            raise _no_such_field([self._node], key, key)
        try:
            return self._named(self.names[key])
        except (IndexError, TypeError):
            raise _no_such_field([self._node], key, key) from None

    def label_of(self, name: str) -> str:
        """Return the label of the input of a field name."""
        return self._fields.place(self._node.node, name).label

    def _named(self, name: str) -> WorkflowInput:
        node = self._node.node
        shown = self._shown.get((node.id, name))
        if shown is not None:
            return shown
        field = self._fields.get(node.id, name)
        assert field is not None, "the name is one of the node's"
        return _input(field, None, self._fields)

    def __repr__(self) -> str:
        return f"<NodeInputs of {self._node}: {', '.join(self.names)}>"


class WorkflowNode:
    """A node of the workflow, with its `inputs`, whether or not the form shows them.

    Example:
        >>> wf.nodes["noise"].inputs["seed"].value = 7
    """

    def __init__(self, node: Node, fields: WorkflowFields, shown: Mapping[tuple[str, str], WorkflowInput]) -> None:
        self.node = node
        self.inputs = NodeInputs(self, fields, shown)
        self._fields = fields

    @property
    def id(self) -> str:
        """The node's id in the document."""
        return self.node.id

    @property
    def type(self) -> str:
        """The node's type, such as `noise`."""
        return self.node.type

    @property
    def label(self) -> str:
        """The label that the author gave the node, "" if none."""
        return self.node.label

    @property
    def title(self) -> str:
        """What the web UI shows for the node: its label, else the title of its type."""
        return self.label or self._fields.title_of(self.node)

    def __str__(self) -> str:
        return f"{self.label!r} ({self.type}, id {self.id})" if self.label else f"{self.type} (id {self.id})"

    def __repr__(self) -> str:
        return f"<WorkflowNode {self}: {', '.join(self.inputs.names)}>"


class WorkflowNodes(Sequence[WorkflowNode]):
    """The nodes of a workflow that run, in document order: by place, or by id, label or type where that is unique.

    Example:
        >>> for node in wf.nodes:
        ...     print(node.id, node.type, node.label, node.inputs.names)
    """

    def __init__(self, nodes: Sequence[WorkflowNode]) -> None:
        self._nodes = tuple(nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[WorkflowNode]:
        return iter(self._nodes)

    @overload
    def __getitem__(self, key: int | str) -> WorkflowNode: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[WorkflowNode]: ...
    def __getitem__(self, key: int | str | slice) -> WorkflowNode | Sequence[WorkflowNode]:
        """The node of that place, or of that id, label or type.

        Raises:
            InputNotFoundError: there is none, or several; it lists those that there are.
        """
        if isinstance(key, slice):
            return self._nodes[key]
        if not isinstance(key, str):
            try:
                return self._nodes[key]
            except (IndexError, TypeError):
                raise self._not_found(key) from None
        found = self.answering_to(key)
        if len(found) == 1:
            return found[0]
        if found:
            raise InputNotFoundError(
                f"{len(found)} nodes answer to {key!r}: {', '.join(map(str, found))}.",
                key=key,
                choices=tuple(map(str, found)),
                hint="Name the one that you mean by its id.",
            )
        raise self._not_found(key)

    def answering_to(self, name: str) -> Sequence[WorkflowNode]:
        """Return the node of that id, else those of that label, else of that type, else of that title."""
        return (
            [node for node in self if node.id == name]
            or [node for node in self if node.label == name]
            or [node for node in self if _same(node.label, name) and node.label]
            or [node for node in self if node.type == name]
            or [node for node in self if _same(node.title, name)]
        )

    def places_of(self, name: str) -> list[tuple[str, str]]:
        """Return (node id, field name) of the inputs, shown or not, that have a name as their field name or label."""
        wanted = name.strip().casefold()
        return [
            (node.id, field)
            for node in self
            for field in node.inputs.names
            if wanted in (field.casefold(), node.inputs.label_of(field).casefold())
        ]

    def _not_found(self, name: object, *, key: object = None) -> InputNotFoundError:
        """Return the error for a name that no node answers to."""
        choices = tuple(map(str, self))
        names = {text.casefold(): text for node in self for text in (node.id, node.type, node.label) if text}
        near = difflib.get_close_matches(name.casefold(), names, n=1) if isinstance(name, str) else []
        hint = f"Did you mean {names[near[0]]!r}? " if near else ""
        return InputNotFoundError(
            f"No node answers to {name!r}.",
            key=name if key is None else key,
            choices=choices,
            hint=f"{hint}The workflow's nodes: {', '.join(choices) or 'none'}.",
        )


def _nodes(definition: WorkflowDefinition, fields: WorkflowFields, shown: Sequence[WorkflowInput]) -> WorkflowNodes:
    """The nodes of a workflow that run: notes, connectors and the like are left out."""
    by_place = {(one.node_id, one.field_name): one for one in reversed(shown)}
    return WorkflowNodes(
        [WorkflowNode(node, fields, by_place) for node in definition.nodes.values() if node.kind == "invocation"]
    )


def _no_such_field(nodes: Sequence[WorkflowNode], name: object, key: object) -> InputNotFoundError:
    choices = tuple(dict.fromkeys(field for node in nodes for field in node.inputs.names))
    near = difflib.get_close_matches(name, choices, n=1) if isinstance(name, str) else []
    whose = str(nodes[0]) if len(nodes) == 1 else ", ".join(map(str, nodes))
    return InputNotFoundError(
        f"The node {whose} has no field {name!r}.",
        key=key,
        choices=choices,
        hint=(f"Did you mean {near[0]!r}? " if near else "") + f"Its fields: {', '.join(choices) or 'none'}.",
    )


def shown_inputs(definition: WorkflowDefinition, templates: NodeTemplates, fields: WorkflowFields) -> WorkflowInputs:
    """The inputs that a workflow shows.

    The form's in depth-first order, or, where there is no form, the exposed fields in theirs. What points nowhere is
    left out.

    Args:
        definition: the document.
        templates: the server's node templates.
        fields: which holds the values.
    """
    inputs: list[WorkflowInput] = []
    shown: Iterable[tuple[str, str]] = definition.form_fields
    if definition.is_form_empty:
        # Of the exposed fields, only those that the server knows become inputs.
        shown = [
            (node_id, name)
            for node_id, name in (
                (node_id, _renamed(definition, node_id, name, fields)) for node_id, name in definition.exposed_fields
            )
            if _is_known(definition, node_id, name, templates)
        ]
    for node_id, name in shown:
        name = _renamed(definition, node_id, name, fields)
        node = definition.first_invocations.get(node_id)
        # The form shows what its node has.
        field = fields.get(node_id, name) if node is not None and name in fields.inputs_of(node) else None
        if field is not None:
            inputs.append(_input(field, len(inputs), fields))
    return WorkflowInputs(inputs, _nodes(definition, fields, inputs))


def _input(field: Field[Any], index: int | None, fields: WorkflowFields) -> WorkflowInput:
    given = fields.given(field.place.node_id, field.place.name)
    return WorkflowInput(
        index=index,
        label=str(given.get("label") or field.template.title),
        description=str(given.get("description") or field.template.description),
        field=field,
    )


def _as_loaded(node: Node, given: Mapping[str, Any], terms: ModelTerms) -> Mapping[str, Any]:
    """Return an input as the web UI has it after loading a file."""
    raw = given.get("value", UNSET)
    value = UNSET
    if node.type == "image_generator" and isinstance(raw, Mapping) and raw.get("type") is not None:
        # By its shape alone the web UI reads this value as a board, and then refuses to run what it saved itself.
        value = board_images(raw)
    if value is UNSET:
        value = saved_value(raw, terms)
    if value is UNSET and raw is not UNSET and node.type in NODES_WITH_EXTRA_INPUTS:
        # These carry whatever metadata there is.
        value = as_javascript(raw)
    if value is UNSET:
        return {part: said for part, said in given.items() if part != "value"}
    return {**given, "value": value}


def set_all(inputs: WorkflowInputs, values: Mapping[Any, Any], *, override_edge: bool = False) -> None:
    """Set several inputs, or none of them.

    Args:
        inputs: the workflow's.
        values: by index, label, or (node id, label or type, field name).
        override_edge: remove the edges that feed them.

    Raises:
        InputNotFoundError: one is not there.
        InputConnectedError: an edge feeds one of them, and `override_edge` is False. Every input keeps what it had.
        InputValueError: one of the values is not allowed. Every input keeps what it had.
    """
    chosen = [(inputs[key].field, value) for key, value in values.items()]
    before = [(field, field.snapshot()) for field, _ in chosen]
    try:
        for field, value in chosen:
            field.set(value, override_edge=override_edge)
    except InputValueError:
        for field, state in reversed(before):
            field.restore(state)
        raise


def _is_known(definition: WorkflowDefinition, node_id: str, name: str, templates: NodeTemplates) -> bool:
    node = definition.first_nodes.get(node_id)
    if node is None or node.kind != "invocation" or node.type not in templates:
        return False
    return input_template(node, templates[node.type], name) is not None


def _renamed(definition: WorkflowDefinition, node_id: str, name: str, fields: WorkflowFields) -> str:
    """`image_collection` renamed an input: what shows the old name means the new one."""
    node = definition.first_invocations.get(node_id)
    if node is not None and node.type == "image_collection" and name == "collection":
        return "images" if "images" in fields.inputs_of(node) else name
    return name


def _same(label: str, key: str) -> bool:
    return label.casefold() == key.strip().casefold()
