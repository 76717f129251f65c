"""The inputs of a workflow: all its fields, and those of them that its form shows, in order."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex, overload

from invokeai_py_client.errors import InputNotFoundError, InputValueError, UnknownNodeError
from invokeai_py_client.workflow.connections import kept_edges
from invokeai_py_client.workflow.document import Edge, Node, WorkflowDefinition
from invokeai_py_client.workflow.dynamic_inputs import input_template
from invokeai_py_client.workflow.field_kinds import field_for
from invokeai_py_client.workflow.fields import UNSET, Field, FieldPlace
from invokeai_py_client.workflow.json_values import as_javascript
from invokeai_py_client.workflow.node_update import NODES_WITH_EXTRA_INPUTS, updated_inputs
from invokeai_py_client.workflow.resource_fields import ModelField
from invokeai_py_client.workflow.saved_values import board_images, saved_value
from invokeai_py_client.workflow.templates import ModelTerms, NodeTemplates, unknown_input

InputKey = int | str | tuple[str, str]
"""How an input is named: by index, label, or (node id or label, field name)."""


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
        self._fed: dict[str, set[str]] | None = None

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
        if self._fed is None:
            self._fed = {}
            edges, _ = kept_edges(self._definition, self._templates)
            for edge in edges:
                self._fed.setdefault(edge.target, set()).add(edge.target_field)
        return self._fed.get(node.id, set())

    def get(self, node_id: str, name: str) -> Field[Any] | None:
        """The field of an input; None where the document has no such input.

        Where the server lacks the node's type, or the type lacks the input, the field holds raw JSON.
        """
        field = self._fields.get((node_id, name))
        if field is not None:
            return field
        node = self._holder(node_id, name)
        if node is None:
            return None
        inputs = self.inputs_of(node)
        template = self._templates.get(node.type)
        known = input_template(node, template, name) if template is not None else None
        if known is None:
            known = unknown_input(name)
        place = FieldPlace(node_id, node.type, node.label, name)
        field = self._fields[node_id, name] = field_for(place, known, inputs[name].get("value", UNSET))
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

    def value_of(self, node_id: str, name: str, given: Mapping[str, Any]) -> Any:
        """The value that an input has now: its field's, if one was made, else what the document gives."""
        field = self._fields.get((node_id, name))
        # Where ids repeat, the field is of one of the nodes only.
        return given.get("value", UNSET) if field is None or self.given(node_id, name) is not given else field.raw

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
            for name in self.inputs_of(node):
                known = input_template(node, template, name)
                if known is None or known.input == "connection" or (node.id, name) in fed:
                    continue
                field = self.get(node.id, name)
                if isinstance(field, ModelField):
                    yield field


@dataclass(slots=True)
class WorkflowInput:
    """An input that the workflow's form shows; setting `value` sets its field's.

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
        return f"{place}{self.label} ({self.field.place}: {self.type_name})"


class WorkflowInputs(Sequence[WorkflowInput]):
    """A workflow's inputs in the order of its form: by index, by label, or by (node id or label, field name).

    By (node id or label, field name) any other input of a node is found too, although the form does not show it.

    Example:
        >>> wf.inputs["Positive Prompt"].value = "a tiger cub"
        >>> wf.inputs[0].label
        'Model'
    """

    def __init__(
        self,
        inputs: Sequence[WorkflowInput],
        hidden: Callable[[str, str], list[WorkflowInput]] = lambda node, name: [],
    ) -> None:
        self._inputs = tuple(inputs)
        self._hidden = hidden

    def __len__(self) -> int:
        return len(self._inputs)

    def __iter__(self) -> Iterator[WorkflowInput]:
        return iter(self._inputs)

    @overload
    def __getitem__(self, key: int | str | tuple[str, str]) -> WorkflowInput: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[WorkflowInput]: ...
    def __getitem__(self, key: int | str | tuple[str, str] | slice) -> WorkflowInput | Sequence[WorkflowInput]:
        """The input of that index, label, or (node id or label, field name).

        Raises:
            InputNotFoundError: there is none, or several; it lists the choices and the nearest match.
        """
        if isinstance(key, slice):
            return self._inputs[key]
        if isinstance(key, str):
            return self._one(key, [i for i in self if i.label == key] or [i for i in self if _same(i.label, key)])
        if isinstance(key, tuple):
            shown = [i for i in self if key in ((i.node_id, i.field_name), (i.field.place.node_label, i.field_name))]
            return self._one(key, shown or (self._hidden(*key) if len(key) == 2 else []))
        return self._at(key)

    def _at(self, key: SupportsIndex) -> WorkflowInput:
        try:
            return self._inputs[key]
        except (IndexError, TypeError):
            raise self._not_found(f"There is no input {key!r}: this workflow has {len(self)}.", key) from None

    def _one(self, key: object, found: Sequence[WorkflowInput]) -> WorkflowInput:
        # A form may show one field twice.
        if len({id(entry.field) for entry in found}) == 1:
            return found[0]
        if found:
            raise InputNotFoundError(
                f"{len(found)} inputs answer to {key!r}: {', '.join(map(str, found))}.",
                key=key,
                choices=tuple(map(str, found)),
                hint="Take the one that is meant by its index, or by (node id, field name).",
            )
        raise self._not_found(f"No input answers to {key!r}.", key)

    def _not_found(self, what: str, key: object) -> InputNotFoundError:
        choices = tuple(map(str, self))
        labels = {i.label.casefold(): i.label for i in self}
        near = difflib.get_close_matches(key.casefold(), labels, n=1) if isinstance(key, str) else []
        hint = f"Did you mean {labels[near[0]]!r}? " if near else ""
        return InputNotFoundError(
            what, key=key, choices=choices, hint=f"{hint}Its inputs: {', '.join(choices) or 'none'}."
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

    def hidden(node: str, name: str) -> list[WorkflowInput]:
        meant = [n.id for n in definition.nodes.values() if node in (n.id, n.label)]
        found = (fields.get(node_id, name) for node_id in meant)
        return [_input(field, None, fields) for field in found if field is not None]

    return WorkflowInputs(inputs, hidden)


def _input(field: Field[Any], index: int | None, fields: WorkflowFields) -> WorkflowInput:
    given = fields.given(field.place.node_id, field.place.name)
    return WorkflowInput(
        index=index,
        label=str(given.get("label") or field.template.title),
        description=str(given.get("description") or field.template.description),
        field=field,
    )


def check_nodes(definition: WorkflowDefinition, templates: NodeTemplates) -> None:
    """Check that the server has every node type of a workflow.

    Raises:
        UnknownNodeError: it lacks some.
    """
    unknown = [node for node in definition.nodes.values() if node.kind == "invocation" and node.type not in templates]
    if unknown:
        types = tuple(dict.fromkeys(node.type for node in unknown))
        near = [match for name in types for match in difflib.get_close_matches(name, templates, n=1)]
        raise UnknownNodeError(
            f"{definition.source or definition.name or 'The workflow'} has nodes that the server lacks: "
            + ", ".join(f"{node.type!r} (node {node.id})" for node in unknown[:10])
            + (f", and {len(unknown) - 10} more." if len(unknown) > 10 else "."),
            node_types=types,
            node_ids=tuple(node.id for node in unknown),
            source=definition.source,
            hint="Install the custom nodes on the server"
            + (f"; the nearest that it has: {', '.join(near)}." if near else "."),
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


def set_all(inputs: WorkflowInputs, values: Mapping[Any, Any]) -> None:
    """Set several inputs, or none of them.

    Args:
        inputs: the workflow's.
        values: by index, label, or (node id or label, field name).

    Raises:
        InputNotFoundError: one is not there.
        InputValueError: one of the values is not allowed. Every input keeps what it had.
    """
    chosen = [(inputs[key].field, value) for key, value in values.items()]
    before = [(field, field.raw) for field, _ in chosen]
    try:
        for field, value in chosen:
            field.value = value
    except InputValueError:
        for field, raw in before:
            field.restore(raw)
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
