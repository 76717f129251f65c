"""Binds model inputs to installed models, if the file names models of another server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

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
    """An input for which no installed model could be chosen, and the reason."""

    place: FieldPlace
    wanted: Mapping[str, Any] | None
    why: str

    def __str__(self) -> str:
        return f"{self.place}: {_name(self.wanted)}: {self.why}"


class ModelBinding(Sequence[ModelChange]):
    """The changes that `sync_dnn_model` made, as a sequence.

    `renamed` are the changes to a model whose name differs from that in the file. `unbound` are the inputs for which no
    model was found.
    """

    def __init__(self, changes: Iterable[ModelChange], unbound: Iterable[UnboundModel]) -> None:
        self._changes = tuple(changes)
        self.unbound = tuple(unbound)

    @property
    def renamed(self) -> tuple[ModelChange, ...]:
        """The changes to a model whose name differs from that in the file."""
        return tuple(change for change in self if change.is_renamed)

    def __len__(self) -> int:
        return len(self._changes)

    @overload
    def __getitem__(self, index: int) -> ModelChange: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ModelChange, ...]: ...
    def __getitem__(self, index: int | slice) -> ModelChange | tuple[ModelChange, ...]:
        """Return the change at an index, or those of a slice."""
        return self._changes[index]

    def __repr__(self) -> str:
        return f"<ModelBinding changed={[*map(str, self._changes)]} unbound={[*map(str, self.unbound)]}>"


def bind_models(
    fields: Iterable[Field[Any]], installed: Sequence[Mapping[str, Any]], *, by_name: bool, by_base: bool
) -> ModelBinding:
    """Bind every model input to an installed model.

    The model is chosen by the first of these rules that finds one: the same key; the same hash; the same name, base and
    type; the same name; the only model of the same base and type. Elements of lists are bound one by one. A LoRA keeps
    its weight.

    Args:
        fields: the inputs for models or LoRAs.
        installed: the server's models.
        by_name: use the rules for names.
        by_base: use the rule for base and type, also for inputs without a model.

    Returns:
        The changes, and the inputs for which no model was found.
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
                # The user has set a name, which is looked up on submission.
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
                # Keeps other properties of the reference in the file, such as the submodel type.
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
        return f"it does not name a model, and {len(fitting)} installed models are suitable: {_names(fitting)}"
    rules: list[tuple[str, ...]] = [("key",), ("hash",)]
    rules += [("name", "base", "type"), ("name",)] if by_name else []
    rules += [("base", "type")] if by_base else []
    for rule in rules:
        # References of formats 1 and 2 lack parts; a missing type is replaced by the types that the input accepts.
        given = [part for part in rule if wanted.get(part)]
        if rule[0] not in given:
            continue
        same = [model for model in fitting if all(wanted[part] == model[part] for part in given)]
        if len(same) == 1:
            return same[0]
    what = f"none of the {len(fitting)} installed models of a suitable base and type matches it"
    return f"{what}: {_names(fitting)}"


def _names(models: Sequence[Mapping[str, Any]]) -> str:
    """Return the names of models, at most `_MOST_NAMED`."""
    more = len(models) - _MOST_NAMED
    return ", ".join(repr(model["name"]) for model in models[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _kind(bases: Sequence[str], types: Sequence[str]) -> str:
    kinds = f"{' or '.join(types)} model" if types else "model"
    return f"no {kinds}" + (f" of base {' or '.join(bases)}" if bases else "")


def _known(model: Mapping[str, Any]) -> SavedModel:
    return SavedModel(**{part: model.get(part) for part in MODEL_PARTS})


def _name(model: Mapping[str, Any] | None) -> str:
    return "no model" if model is None else str(saved_model(model))
