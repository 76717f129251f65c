"""Binds model inputs whose file names a model of another server to installed models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from invokeai_py_client.workflow.fields import Field, FieldPlace
from invokeai_py_client.workflow.references import MODEL_PARTS, ModelReference, is_accepted, is_model, saved_model
from invokeai_py_client.workflow.resource_fields import ModelField


@dataclass(frozen=True, slots=True)
class ModelChange:
    """An input that was bound to another model."""

    place: FieldPlace
    old: Mapping[str, Any] | None
    new: Mapping[str, Any]

    @property
    def is_renamed(self) -> bool:
        """Whether the names of the old and the new model differ; False if the old one had no name."""
        return self.old is not None and self.old.get("name") not in (None, self.new["name"])

    def __str__(self) -> str:
        return f"{self.place}: {_name(self.old)} -> {_name(self.new)}"


@dataclass(frozen=True, slots=True)
class UnboundModel:
    """An input for which no installed model could be chosen, and why."""

    place: FieldPlace
    wanted: Mapping[str, Any] | None
    why: str

    def __str__(self) -> str:
        return f"{self.place}: {_name(self.wanted)}: {self.why}"


class ModelBinding(Sequence[ModelChange]):
    """The changes that `sync_dnn_model` made, as a sequence.

    `renamed` are the changes to a model with another name than the file's; `unbound` are the inputs for
    which no model was found.
    """

    def __init__(self, changes: Iterable[ModelChange], unbound: Iterable[UnboundModel]) -> None:
        self._changes = tuple(changes)
        self.unbound = tuple(unbound)

    @property
    def renamed(self) -> tuple[ModelChange, ...]:
        """The changes to a model with another name than the file's."""
        return tuple(change for change in self if change.is_renamed)

    def __len__(self) -> int:
        return len(self._changes)

    def __getitem__(self, index: Any) -> Any:
        """Return the change at an index, or those of a slice."""
        return self._changes[index]

    def __repr__(self) -> str:
        return f"<ModelBinding changed={[*map(str, self._changes)]} unbound={[*map(str, self.unbound)]}>"


def bind_models(
    fields: Iterable[Field[Any]], installed: Sequence[Mapping[str, Any]], *, by_name: bool, by_base: bool
) -> ModelBinding:
    """Bind every model input to an installed model: by key, else hash, else name, base and type, else name alone,
    else the only one of its base and type. Of a list, each element is bound by itself; a LoRA keeps its weight.

    Args:
        fields: the inputs that take models or LoRAs.
        installed: the server's models.
        by_name: take the rules that go by name.
        by_base: take the rule that goes by base and type; an input without a model takes the only one that fits it.

    Returns:
        What was changed, and which inputs have no model that is installed.
    """
    changes: list[ModelChange] = []
    unbound: list[UnboundModel] = []
    for field in fields:
        holds_loras = field.template.type.name == "LoRAField"
        types = field.template.model_types or (("lora",) if holds_loras else ())
        fitting = [model for model in installed if is_accepted(model, field.template.model_bases, types)]
        held = field.raw
        bound = []
        for element in held if isinstance(held, list) else [held]:
            bound.append(element)
            named = element.get("lora") if holds_loras and isinstance(element, Mapping) else element
            if isinstance(named, ModelReference):
                # The user has named one; it is looked up at submit, and an error if it is not there.
                continue
            current = named if is_model(named) else None
            saved = field.unbound if isinstance(field, ModelField) else None
            wanted = current or (None if saved is None else saved.parts())
            if wanted is None and not (isinstance(field, ModelField) and field.template.required):
                continue
            found = _find(wanted, fitting, by_name=by_name, by_base=by_base)
            if isinstance(found, str):
                unbound.append(UnboundModel(field.place, wanted, found))
                continue
            new = {part: found[part] for part in MODEL_PARTS}
            if current is None or any(current.get(part) != new[part] for part in MODEL_PARTS):
                # What the file says beside the identity, such as the part of the model that is meant, stays.
                model = {**(current or {}), **new}
                bound[-1] = {**element, "lora": model} if holds_loras else model
                changes.append(ModelChange(field.place, wanted, new))
        if any(was is not now for was, now in zip(held if isinstance(held, list) else [held], bound, strict=True)):
            field.value = bound if isinstance(held, list) else bound[0]
    return ModelBinding(changes, unbound)


def _find(
    wanted: Mapping[str, Any] | None, fitting: Sequence[Mapping[str, Any]], *, by_name: bool, by_base: bool
) -> Mapping[str, Any] | str:
    """Return the installed model that matches, or the reason why none does."""
    if not fitting:
        return "no installed model is of a base and type that it takes"
    if wanted is None:
        if by_base and len(fitting) == 1:
            return fitting[0]
        return f"it names no model, and {len(fitting)} installed ones would fit"
    rules: list[tuple[str, ...]] = [("key",), ("hash",)]
    rules += [("name", "base", "type"), ("name",)] if by_name else []
    rules += [("base", "type")] if by_base else []
    for rule in rules:
        # References of formats 1 and 2 lack parts: what the input takes stands for a type that is not given.
        given = [part for part in rule if wanted.get(part)]
        if rule[0] not in given:
            continue
        same = [model for model in fitting if all(wanted[part] == model[part] for part in given)]
        if len(same) == 1:
            return same[0]
    return f"none of the {len(fitting)} installed models of a fitting base and type can be identified as it"


def _name(model: Mapping[str, Any] | None) -> str:
    return "no model" if model is None else str(saved_model(model))
