"""The inputs of a workflow: those that its form shows, in order, and those of all its nodes, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, cast, overload

from invokeai_py_client.errors import InputNotFoundError, InputValueError
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.workflow.document import Node, WorkflowDefinition
from invokeai_py_client.workflow.dynamic_inputs import input_template
from invokeai_py_client.workflow.edge import Edge
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.fields import Field, did_you_mean
from invokeai_py_client.workflow.templates import NodeTemplates

T = TypeVar("T")

InputKey = int | str | tuple[str, str]
"""A key of an input: its index, its label, or (node id, label or type, field name)."""


@dataclass(slots=True)
class WorkflowInput(FixedAttributes):
    """An input of the workflow; setting `value` sets the value of its field.

    `label` is the label in the web UI: that of the input, or the title in its template. `index` is the position in the
    form; None for an input that the form does not show.
    """

    index: int | None
    label: str
    description: str
    field: Field[Any]

    if TYPE_CHECKING:
        # With this, mypy allows `"Steps" in wf.inputs`.
        def __eq__(self, other: object, /) -> bool: ...

    @property
    def value(self) -> Any:
        """The value of the field. An assigned value is checked.

        Assigning None clears an input that may be null, restores the file's value of an input with a default, and is an
        error for an input that the node requires.
        """
        return self.field.value

    @value.setter
    def value(self, value: Any) -> None:
        self.field.value = value

    def set(self, value: Any, *, override_edge: bool = False) -> None:
        """Set the value, as assigning `value` does; see `Field.set`.

        Args:
            value: the value, or None, as for `value`.
            override_edge: remove the edges that feed the input from this handle's submissions.

        Raises:
            InputConnectedError: an edge feeds the input, and `override_edge` is False.
            InputValueError: the template does not allow the value. The input keeps its value.

        Example:
            >>> wf.inputs["noise", "seed"].set(7, override_edge=True)
        """
        self.field.set(value, override_edge=override_edge)

    @property
    def edge(self) -> Edge | None:
        """The edge that feeds the input; None if the input uses its own value."""
        return self.field.edge

    @property
    def node_id(self) -> str:
        """The id of the input's node."""
        return self.field.place.node_id

    @property
    def field_name(self) -> str:
        """The name of the input on its node."""
        return self.field.place.name

    @property
    def node_name(self) -> str:
        """The label of the input's node, or the node's type if it has no label."""
        return self.field.place.node_label or self.field.place.node_type

    @property
    def input_index(self) -> int | None:
        """The same as `index`; its name in client 1.1."""
        return self.index

    @property
    def type_name(self) -> str:
        """The server's name for the type of the values, such as `IntegerField`."""
        return self.field.type_name

    @property
    def required(self) -> bool:
        """Whether a run fails without a value or an edge for it."""
        return self.field.template.required

    def __str__(self) -> str:
        place = f"[{self.index}] " if self.index is not None else ""
        return f"{place}{self.label} ({self.field.place.path}: {self.type_name})"


class _ByName(FixedAttributes, Sequence[T]):
    """A sequence whose elements are also found by name."""

    def __contains__(self, key: object) -> bool:
        """Return whether `self[key]` finds an element, for a name; for anything else, whether it is an element."""
        if not isinstance(key, str | tuple):
            return super().__contains__(key)
        named = cast("Mapping[Any, T]", self)
        try:
            return named[key] is not None
        except InputNotFoundError:
            return False


class WorkflowInputs(_ByName[WorkflowInput]):
    """A workflow's inputs in the order of its form: by index, by label, or by (node, field name).

    A node is named by its id, label or type, if only one node with that field matches. (node, field name) also finds
    inputs that the form does not show.

    Example:
        >>> wf.inputs["Positive Prompt"].value = "a tiger cub"
        >>> wf.inputs["noise", "seed"].value = 7
        >>> wf.inputs[0].label
        'Model'
    """

    nodes: WorkflowNodes
    """All nodes that run, with their inputs."""

    def __init__(self, inputs: Sequence[WorkflowInput], nodes: WorkflowNodes) -> None:
        self._inputs = tuple(inputs)
        self.nodes = nodes

    def _instead_of(self, name: str) -> str:
        return f" To set an input: wf.inputs[{name!r}].value = ..."

    def __str__(self) -> str:
        from invokeai_py_client.workflow.input_table import input_table

        return str(input_table(self))

    def __repr__(self) -> str:
        return f"<WorkflowInputs: {', '.join(repr(one.label) for one in self)}>"

    def __len__(self) -> int:
        return len(self._inputs)

    def __iter__(self) -> Iterator[WorkflowInput]:
        return iter(self._inputs)

    @overload
    def __getitem__(self, key: int | str | tuple[str, str]) -> WorkflowInput: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[WorkflowInput]: ...
    def __getitem__(self, key: int | str | tuple[str, str] | slice) -> WorkflowInput | Sequence[WorkflowInput]:
        """Return the input with an index, a label, or a (node id, label or type, field name).

        Raises:
            InputNotFoundError: none or several inputs match; the message lists the choices and the most similar one.
        """
        if isinstance(key, slice):
            return self._inputs[key]
        if isinstance(key, str):
            return self._one(key, [i for i in self if i.label == key] or [i for i in self if _same(i.label, key)])
        if isinstance(key, tuple):
            if len(key) != 2 or not all(isinstance(part, str) for part in key):
                raise self._not_found(f"No input matches {key!r}.", key)
            return self._of_node(*key)
        return self._at(key)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the table that a notebook shows."""
        from invokeai_py_client.workflow.input_table import input_table

        return input_table(self)._repr_mimebundle_()

    def _at(self, key: SupportsIndex) -> WorkflowInput:
        try:
            return _at(self._inputs, key)
        except (IndexError, TypeError):
            raise self._not_found(f"There is no input {key!r}: this workflow has {len(self)}.", key) from None

    def _of_node(self, node: str, name: str) -> WorkflowInput:
        nodes = self.nodes.answering_to(node)
        if not nodes:
            raise self.nodes._not_found(node, key=(node, name))
        owners = [one for one in nodes if name in one.inputs.names]
        if not owners:
            raise _no_such_field(nodes, name, (node, name))
        found = [one.inputs[name] for one in owners]
        return self._one((node, name), [i for i in found if i.index is not None] or found)

    def _one(self, key: object, found: Sequence[WorkflowInput]) -> WorkflowInput:
        # A form may show a field twice.
        different = {(i.node_id, i.field_name): i for i in reversed(found)}
        if len(different) == 1:
            return found[0]
        if found:
            raise InputNotFoundError(
                f"{len(different)} inputs match {key!r}: {', '.join(map(str, found))}.",
                key=key,
                choices=tuple(map(str, found)),
                hint="Use an index, or (node id, field name): "
                + ", ".join(repr(place) for place in reversed(different))
                + ".",
            )
        raise self._not_found(f"No input matches {key!r}.", key)

    def _not_found(self, what: str, key: object) -> InputNotFoundError:
        choices = tuple(map(str, self))
        return InputNotFoundError(
            what,
            key=key,
            choices=choices,
            near=did_you_mean(key, (i.label for i in self)),
            places=tuple(self.nodes.places_of(key)[:5]) if isinstance(key, str) else (),
            hint=f"The inputs of the form: {', '.join(choices) or 'none'}. wf.nodes lists those of all nodes.",
        )


class NodeInputs(_ByName[WorkflowInput]):
    """The inputs of one node, whether or not the form shows them: by field name, label or index."""

    def _instead_of(self, name: str) -> str:
        return f" To set an input: wf.nodes[{self._node.id!r}].inputs[{name!r}].value = ..."

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
        """Return the input with a field name, a label or an index.

        Raises:
            InputNotFoundError: the node has no such field; the message lists its fields.
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
            return self._named(_at(self.names, key))
        except (IndexError, TypeError):
            raise _no_such_field([self._node], key, key) from None

    def label_of(self, name: str) -> str:
        """Return the label of the input with a field name."""
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


class WorkflowNode(FixedAttributes):
    """A node of the workflow, with its `inputs`, whether or not the form shows them.

    Example:
        >>> wf.nodes["noise"].inputs["seed"].value = 7
    """

    node: Node
    inputs: NodeInputs

    if TYPE_CHECKING:
        # With this, mypy allows `"noise" in wf.nodes`.
        def __eq__(self, other: object, /) -> bool: ...

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
        """The title that the web UI shows for the node: its label, else the title of its type."""
        return self.label or self._fields.title_of(self.node)

    def __str__(self) -> str:
        return f"{self.label!r} ({self.type}, id {self.id})" if self.label else f"{self.type} (id {self.id})"

    def __repr__(self) -> str:
        return f"<WorkflowNode {self}: {', '.join(self.inputs.names)}>"


class WorkflowNodes(_ByName[WorkflowNode]):
    """The nodes of a workflow that run, in document order: by index, or by id, label or type if that is unique.

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
        """Return the node with an index, an id, a label or a type.

        Raises:
            InputNotFoundError: none or several nodes match; the message lists the nodes.
        """
        if isinstance(key, slice):
            return self._nodes[key]
        if not isinstance(key, str):
            try:
                return _at(self._nodes, key)
            except (IndexError, TypeError):
                raise self._not_found(key) from None
        found = self.answering_to(key)
        if len(found) == 1:
            return found[0]
        if found:
            raise InputNotFoundError(
                f"{len(found)} nodes match {key!r}: {', '.join(map(str, found))}.",
                key=key,
                choices=tuple(map(str, found)),
                hint="Use the id of a node.",
            )
        raise self._not_found(key)

    def answering_to(self, name: str) -> Sequence[WorkflowNode]:
        """Return the node with this id; otherwise those with this label, otherwise this type, otherwise this title."""
        folded = name.strip().casefold()
        for nodes, key in zip(self._named, (name, name, folded, name, folded), strict=True):
            if key in nodes:
                return nodes[key]
        return []

    @cached_property
    def _named(self) -> Sequence[Mapping[str, list[WorkflowNode]]]:
        """The nodes by id, by label, by label in any case, by type, and by title in any case."""
        found: tuple[dict[str, list[WorkflowNode]], ...] = ({}, {}, {}, {}, {})
        for node in self:
            names = (node.id, node.label, node.label.casefold(), node.type, node.title.casefold())
            for nodes, name in zip(found, names, strict=True):
                if name:
                    nodes.setdefault(name, []).append(node)
        return found

    def places_of(self, name: str) -> list[tuple[str, str]]:
        """Return (node id, field name) of all inputs with this field name or label."""
        wanted = name.strip().casefold()
        return [
            (node.id, field)
            for node in self
            for field in node.inputs.names
            if wanted in (field.casefold(), node.inputs.label_of(field).casefold())
        ]

    def _not_found(self, name: object, *, key: object = None) -> InputNotFoundError:
        """Return the error for a name that does not match a node."""
        choices = tuple(map(str, self))
        near = did_you_mean(name, (text for node in self for text in (node.id, node.type, node.label) if text))
        return InputNotFoundError(
            f"No node matches {name!r}.",
            key=name if key is None else key,
            choices=choices,
            near=near,
            hint=f"The workflow's nodes: {', '.join(choices) or 'none'}.",
        )


def _nodes(definition: WorkflowDefinition, fields: WorkflowFields, shown: Sequence[WorkflowInput]) -> WorkflowNodes:
    """Return the nodes of a workflow that run, which excludes notes and connectors."""
    by_place = {(one.node_id, one.field_name): one for one in reversed(shown)}
    return WorkflowNodes(
        [WorkflowNode(node, fields, by_place) for node in definition.nodes.values() if node.kind == "invocation"]
    )


def _no_such_field(nodes: Sequence[WorkflowNode], name: object, key: object) -> InputNotFoundError:
    choices = tuple(dict.fromkeys(field for node in nodes for field in node.inputs.names))
    return InputNotFoundError(
        f"The node {', '.join(map(str, nodes))} has no field {name!r}.",
        key=key,
        choices=choices,
        near=did_you_mean(name, choices),
        hint=f"Its fields: {', '.join(choices) or 'none'}.",
    )


def shown_inputs(definition: WorkflowDefinition, templates: NodeTemplates, fields: WorkflowFields) -> WorkflowInputs:
    """Return the inputs that a workflow shows.

    These are the inputs of the form in depth-first order, or, without a form, the exposed fields in their order.
    Entries that do not refer to an input are skipped.

    Args:
        definition: the document.
        templates: the server's node templates.
        fields: the values.
    """
    inputs: list[WorkflowInput] = []
    for node_id, name in definition.exposed_fields if definition.is_form_empty else definition.form_fields:
        name = _renamed(definition, node_id, name, fields)
        # Exposed fields that the server does not know do not become inputs.
        if definition.is_form_empty and not _is_known(definition, node_id, name, templates):
            continue
        node = definition.first_invocations.get(node_id)
        # A form element is only shown if its node has the input.
        field = fields.get(node_id, name) if node is not None and name in fields.inputs_of(node) else None
        if field is not None:
            inputs.append(_input(field, len(inputs), fields))
    return WorkflowInputs(inputs, _nodes(definition, fields, inputs))


def _input(field: Field[Any], index: int | None, fields: WorkflowFields) -> WorkflowInput:
    given = fields.given(field.place.node_id, field.place.name)
    return WorkflowInput(
        index=index,
        label=field.place.label or field.template.title,
        description=str(given.get("description") or field.template.description),
        field=field,
    )


def set_all(inputs: WorkflowInputs, values: Mapping[Any, Any], *, override_edge: bool = False) -> None:
    """Set several inputs. If one cannot be set, none is.

    Args:
        inputs: the workflow's inputs.
        values: the values by index, label, or (node id, label or type, field name).
        override_edge: remove the edges that feed the inputs.

    Raises:
        InputNotFoundError: there is no such input.
        InputConnectedError: an edge feeds one of the inputs, and `override_edge` is False.
        InputValueError: a value is not allowed, or an input is named twice.
    """
    chosen = [(inputs[key].field, value) for key, value in values.items()]
    keys: dict[int, Any] = {}
    for key, (field, value) in zip(values, chosen, strict=True):
        if id(field) in keys:
            raise InputValueError(
                f"{field.place} is named twice, as {keys[id(field)]!r} and {key!r}.",
                node_id=field.place.node_id,
                node_type=field.place.node_type,
                field=field.place.name,
                value=value,
                hint="Pass one value for each input.",
            )
        keys[id(field)] = key
    before = [(field, field.snapshot()) for field, _ in chosen]
    try:
        for field, value in chosen:
            field.set(value, override_edge=override_edge)
    except BaseException:
        for field, state in reversed(before):
            field.restore(state)
        raise


def _at(things: tuple[T, ...], key: SupportsIndex) -> T:
    """Return the element at an index; True and False are not indexes.

    Raises:
        IndexError: there is no such element.
        TypeError: the index is a boolean.
    """
    if isinstance(key, bool):
        raise TypeError
    return things[key]


def _is_known(definition: WorkflowDefinition, node_id: str, name: str, templates: NodeTemplates) -> bool:
    node = definition.first_nodes.get(node_id)
    if node is None or node.kind != "invocation" or node.type not in templates:
        return False
    return input_template(node, templates[node.type], name) is not None


def _renamed(definition: WorkflowDefinition, node_id: str, name: str, fields: WorkflowFields) -> str:
    """Return the current name of an input, as `image_collection` has renamed one."""
    node = definition.first_invocations.get(node_id)
    if node is not None and node.type == "image_collection" and name == "collection":
        return "images" if "images" in fields.inputs_of(node) else name
    return name


def _same(label: str, key: str) -> bool:
    return label.casefold() == key.strip().casefold()
