"""Binds model inputs whose file names a model of another server to installed models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from invokeai_py_client.workflow.fields import Field, FieldPlace
from invokeai_py_client.workflow.references import (
    MODEL_PARTS,
    ModelReference,
    SavedModel,
    is_accepted,
    is_model,
    saved_model,
)
from invokeai_py_client.workflow.resource_fields import ModelField

_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class ModelChange:
    """An input that was bound to another model.

    Example:
        >>> for old, new in wf.sync_dnn_model():
        ...     print(old.name, "->", new.name)
    """

    place: FieldPlace
    old: SavedModel | None
    new: SavedModel

    @property
    def is_renamed(self) -> bool:
        """Whether the names of the old and the new model differ; False if the old one had no name."""
        return self.old is not None and self.old.name not in (None, self.new.name)

    def __iter__(self) -> Iterator[SavedModel]:
        yield self.old or SavedModel()
        yield self.new

    def __str__(self) -> str:
        return f"{self.place}: {_name(self.old)} -> {self.new}"


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
        is_list = isinstance(field.raw, list)
        elements = [*field.raw] if is_list else [field.raw]
        changed = len(changes)
        for index, element in enumerate(elements):
            named = element.get("lora") if holds_loras and isinstance(element, Mapping) else element
            if isinstance(named, ModelReference):
                # The user has named one; it is looked up at submit, and an error if it is not there.
                continue
            current = named if is_model(named) else None
            saved = field.unbound if isinstance(field, ModelField) else None
            wanted = current or (None if saved is None else {**saved})
            if wanted is None and not (isinstance(field, ModelField) and field.template.required):
                continue
            found = _find(wanted, fitting, by_name=by_name, by_base=by_base)
            if isinstance(found, str):
                why = found if fitting else f"the server has {_kind(field.template.model_bases, types)}; install one"
                unbound.append(UnboundModel(field.place, wanted, why))
                continue
            new = {part: found[part] for part in MODEL_PARTS}
            if current is None or any(current.get(part) != new[part] for part in MODEL_PARTS):
                # What the file says beside the identity, such as the part of the model that is meant, stays.
                model = {**(current or {}), **new}
                elements[index] = {**element, "lora": model} if holds_loras else model
                changes.append(ModelChange(field.place, None if wanted is None else _known(wanted), _known(new)))
        if len(changes) > changed:
            field.value = elements if is_list else elements[0]
    return ModelBinding(changes, unbound)


def _find(
    wanted: Mapping[str, Any] | None, fitting: Sequence[Mapping[str, Any]], *, by_name: bool, by_base: bool
) -> Mapping[str, Any] | str:
    """Return the installed model that matches, or the reason why none does."""
    if wanted is None:
        if by_base and len(fitting) == 1:
            return fitting[0]
        return f"it names no model, and {len(fitting)} installed ones would fit: {_names(fitting)}"
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
    what = f"none of the {len(fitting)} installed models of a fitting base and type can be identified as it"
    return f"{what}: {_names(fitting)}"


def _names(models: Sequence[Mapping[str, Any]]) -> str:
    """Return the names of models; the first of many."""
    more = len(models) - _MOST_NAMED
    return ", ".join(repr(model["name"]) for model in models[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _kind(bases: Sequence[str], types: Sequence[str]) -> str:
    kinds = f"{' or '.join(types)} model" if types else "model"
    return f"no {kinds}" + (f" of base {' or '.join(bases)}" if bases else "")


def _known(model: Mapping[str, Any]) -> SavedModel:
    return SavedModel(**{part: model.get(part) for part in MODEL_PARTS})


def _name(model: Mapping[str, Any] | None) -> str:
    return "no model" if model is None else str(saved_model(model))
