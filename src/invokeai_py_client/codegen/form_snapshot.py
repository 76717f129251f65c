"""The form that a module was generated for: the input that each field sets, and its type."""

from __future__ import annotations

import enum
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from invokeai_py_client.errors import FormChangedError
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.inputs import WorkflowInput, WorkflowInputs


class Keep(enum.Enum):
    """The type of `KEEP`."""

    KEEP = "keep"

    def __repr__(self) -> str:
        return "KEEP"


KEEP: Final = Keep.KEEP
"""Stands for a value: the input keeps the value in the workflow."""


class HasForm(Protocol):
    """The part of a workflow handle that is needed to compare forms."""

    @property
    def definition(self) -> WorkflowDefinition:
        """The document."""
        ...

    @property
    def inputs(self) -> WorkflowInputs:
        """The inputs that the form shows."""
        ...


@dataclass(frozen=True, slots=True)
class FormInput:
    """An input at the time when a module was generated.

    Args:
        name: the field of the module's `Inputs`.
        label: the label that the form shows.
        node_id: the node's id.
        field_name: the input's name on its node.
        type_name: the type of its values.
        choices: the allowed values, if they were few.
    """

    name: str
    label: str
    node_id: str
    field_name: str
    type_name: str
    choices: tuple[Any, ...] = ()


class FormSnapshot:
    """The form that a module was generated for. The module compares the workflow with it at each use.

    Args:
        module: the path of the module, its `__file__`.
        inputs: the inputs of the form.
    """

    def __init__(self, module: str, *inputs: FormInput) -> None:
        self._module = module
        self._inputs = inputs

    def check(self, wf: HasForm) -> None:
        """Compare the form with the one that the module was generated for.

        Args:
            wf: the workflow.

        Raises:
            FormChangedError: inputs were added, removed or renamed, have another type, or lost or gained choices.
                Changes that come from a newer server, which are additional choices and other default labels, are
                ignored.
        """
        changes = tuple(self._changes(wf))
        if not changes:
            return
        source = wf.definition.source
        command = shlex.join(["invokeai-client", "codegen", source or "WORKFLOW", "-o", self._module])
        raise FormChangedError(
            f"The form of {source or 'the workflow'!r} has changed since {self._module!r} was generated: "
            f"{'; '.join(changes)}.",
            changes=changes,
            source=source,
            hint=f"Generate the module again: {command}",
        )

    def values(self, wf: HasForm, values: Mapping[str, object]) -> dict[int, object]:
        """Return values by the index of their input, for `wf.set_many` and `wf.plan`.

        Args:
            wf: the workflow, which was checked.
            values: the values by field. Those that are `KEEP` are left out.
        """
        indexes = {place: one.index for place, one in settable(wf).items() if one.index is not None}
        names = {one.name: indexes[one.node_id, one.field_name] for one in self._inputs}
        return {names[name]: value for name, value in values.items() if value is not KEEP}

    def _changes(self, wf: HasForm) -> Iterator[str]:
        now = settable(wf)
        fed = {(one.node_id, one.field_name) for one in wf.inputs} - now.keys()
        for was in self._inputs:
            place = (was.node_id, was.field_name)
            one = now.pop(place, None)
            if one is None:
                yield f"{was.label!r} {'is fed by another node' if place in fed else 'was removed'}"
                continue
            if one.label != was.label and _has_own_label(wf.definition, one):
                yield f"{was.label!r} was renamed to {one.label!r}"
            if one.type_name != was.type_name:
                yield f"the type of {one.label!r} was {was.type_name}, and is {one.type_name}"
            else:
                yield from _changed_choices(wf.definition, was, one)
        yield from (f"{one.label!r} was added" for one in now.values())


def choices_of(definition: WorkflowDefinition, one: WorkflowInput) -> tuple[Any, ...]:
    """Return the values that an input can have, if they are a few: of an enumeration, or of the form's dropdown."""
    options = definition.form_settings.get((one.node_id, one.field_name), {}).get("options")
    if options and one.type_name == "StringField":
        return tuple(dict.fromkeys(option["value"] for option in options))
    return one.field.template.options


def settable(wf: HasForm) -> dict[tuple[str, str], WorkflowInput]:
    """Return the inputs that take values of their own: no edge feeds them, and they need none."""
    found: dict[tuple[str, str], WorkflowInput] = {}
    for one in wf.inputs:
        if one.edge is None and one.field.template.input != "connection":
            # A form may show one input twice.
            found.setdefault((one.node_id, one.field_name), one)
    return found


def _has_own_label(definition: WorkflowDefinition, one: WorkflowInput) -> bool:
    node = definition.first_invocations.get(one.node_id)
    return node is not None and bool(node.inputs.get(one.field_name, {}).get("label"))


def _changed_choices(definition: WorkflowDefinition, was: FormInput, one: WorkflowInput) -> Iterator[str]:
    now = choices_of(definition, one)
    gone = [choice for choice in was.choices if choice not in now]
    new = [choice for choice in now if choice not in was.choices] if not one.field.template.options else []
    if gone or new:
        told = [f"without {', '.join(map(repr, gone))}"] if gone else []
        told += [f"with {', '.join(map(repr, new))}"] if new else []
        yield f"the choices of {one.label!r} are now {' and '.join(told)}"
