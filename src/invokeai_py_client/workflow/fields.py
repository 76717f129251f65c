"""Typed input fields: a value that is checked against the node's template at the moment it is assigned.

What a file holds is kept as it is, valid or not, until something else is assigned: an export is its author's word.
"""

from __future__ import annotations

import math
import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, SupportsFloat, SupportsIndex, TypeVar, cast

from invokeai_py_client.errors import InputValueError
from invokeai_py_client.workflow.generators import generate
from invokeai_py_client.workflow.json_values import as_json, copied
from invokeai_py_client.workflow.templates import Cardinality, FieldType, InputTemplate, is_model_type

T = TypeVar("T")


class Unset:
    """The value of an input that has none."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset()


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """Where a field is: its node's id, type and label, and its name."""

    node_id: str
    node_type: str
    node_label: str
    name: str

    def __str__(self) -> str:
        node = f"{self.node_label!r} ({self.node_type})" if self.node_label else self.node_type
        return f"{node}.{self.name}"


class Field(ABC, Generic[T]):
    """One input of one node.

    Args:
        place: where it is.
        template: what the server says of it.
        initial: what the file holds for it; UNSET if nothing.
    """

    def __init__(self, place: FieldPlace, template: InputTemplate, initial: Any = UNSET) -> None:
        self.place = place
        self.template = template
        self._initial = initial
        # A copy: a document is shared by many handles, and what it holds may be a list that a user appends to.
        self._value: Any = copied(initial)

    @property
    def value(self) -> T | None:
        """The value that would be sent, None where there is none.

        Raises:
            InputValueError: on assignment, if the template does not allow the value; the field keeps what it had.
        """
        return None if self._value is UNSET else self._value

    @value.setter
    def value(self, value: Any) -> None:
        # None empties a field that need not be filled: nothing is sent, and the server uses its own default.
        self._value = UNSET if value is None and not self.template.required else self._check(value)

    @property
    def raw(self) -> Any:
        """The value as it would be sent, UNSET where nothing would be."""
        return self._value

    @property
    def type_name(self) -> str:
        """What it takes, in the server's terms, such as `IntegerField`."""
        return str(self.template.type)

    @property
    def is_set(self) -> bool:
        """Whether it has a value."""
        return self._value is not UNSET and self._value is not None

    @property
    def is_changed(self) -> bool:
        """Whether it has another value than the file."""
        # Without the types, True would be 1.
        return type(self._value) is not type(self._initial) or self._value != self._initial

    def reset(self) -> None:
        """Back to what the file holds."""
        self._value = copied(self._initial)

    def restore(self, raw: Any) -> None:
        """Back to an earlier `raw`, unchecked."""
        self._value = raw

    @abstractmethod
    def _check(self, value: Any) -> T:
        """The value as it is to be sent, or an InputValueError."""

    def _refuse(self, value: object, wants: str) -> NoReturn:
        shown = repr(value)
        raise InputValueError(
            f"{self.place} cannot be {shown if len(shown) <= 80 else shown[:77] + '...'}: it takes {wants}.",
            node_id=self.place.node_id,
            node_type=self.place.node_type,
            field=self.place.name,
            value=value,
            hint="The input keeps the value that it had.",
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.place} = {self._value!r}>"


class IntegerField(Field[int]):
    """A whole number within the template's bounds."""

    def _check(self, value: Any) -> int:
        return _integer(self, value)


class FloatField(Field[float]):
    """A finite number within the template's bounds."""

    def _check(self, value: Any) -> float:
        return _float(self, value)


class BooleanField(Field[bool]):
    """True or False."""

    def _check(self, value: Any) -> bool:
        return _boolean(self, value)


class StringField(Field[str]):
    """Text within the template's length."""

    def _check(self, value: Any) -> str:
        return _string(self, value)


class EnumField(Field[str]):
    """One of the template's options; the label that the web UI shows for one is taken for it."""

    @property
    def options(self) -> tuple[Any, ...]:
        """What it can be."""
        return self.template.options

    def _check(self, value: Any) -> str:
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value in self.options:
            return cast("str", value)
        by_label = {label: option for option, label in self.template.option_labels.items() if option in self.options}
        if not isinstance(value, str) or value not in by_label:
            self._refuse(value, "one of " + ", ".join(repr(option) for option in self.options))
        return by_label[value]


class SchedulerField(EnumField):
    """The name of a scheduler."""


class ColorField(Field[Mapping[str, int]]):
    """A color as `{"r", "g", "b", "a"}` in 0..255; `"#rrggbb"`, `"#rrggbbaa"` and tuples are taken for one."""

    def _check(self, value: Any) -> Mapping[str, int]:
        wants = "a color: {'r', 'g', 'b', 'a'} in 0..255, a tuple of 3 or 4, '#rrggbb' or '#rrggbbaa'"
        parts: Sequence[Any]
        if isinstance(value, str) and re.fullmatch(r"#(?:[0-9a-fA-F]{2}){3,4}", value):
            parts = list(bytes.fromhex(value[1:]))
        elif isinstance(value, Mapping) and set(value) in ({"r", "g", "b"}, {"r", "g", "b", "a"}):
            parts = [value[name] for name in "rgba" if name in value]
        elif isinstance(value, Sequence) and not isinstance(value, str) and len(value) in {3, 4}:
            parts = value
        else:
            self._refuse(value, wants)
        if not all(isinstance(part, int) and not isinstance(part, bool) and 0 <= part <= 255 for part in parts):
            self._refuse(value, wants)
        return dict(zip("rgba", [*parts, 255][:4], strict=True))


class ImageField(Field[Mapping[str, str]]):
    """An image on the server, as `{"image_name"}`; its name, or anything with an `image_name`, is taken for it."""

    def _check(self, value: Any) -> Mapping[str, str]:
        return _named(self, value, "image_name", "an image on the server, by its name")


class VideoField(Field[Mapping[str, str]]):
    """A video on the server, as `{"video_name"}`; its name is taken for it."""

    def _check(self, value: Any) -> Mapping[str, str]:
        return _named(self, value, "video_name", "a video on the server, by its name")


class BoardField(Field[Any]):
    """A board as `{"board_id"}`, "auto" for the client's default board, or "none"; an id is taken for a board."""

    def _check(self, value: Any) -> Any:
        if isinstance(value, str) and value in {"auto", "none"}:
            return value
        return _named(self, value, "board_id", "'auto', 'none', or a board by its id")


class StylePresetField(Field[Mapping[str, str]]):
    """A style preset, as `{"style_preset_id"}`; its id is taken for it."""

    def _check(self, value: Any) -> Mapping[str, str]:
        return _named(self, value, "style_preset_id", "a style preset, by its id")


class SystemPromptField(Field[Mapping[str, str]]):
    """A system prompt, as `{"system_prompt_id"}`; its id is taken for it."""

    def _check(self, value: Any) -> Mapping[str, str]:
        return _named(self, value, "system_prompt_id", "a system prompt, by its id")


class GeneratorField(Field[Mapping[str, Any]]):
    """What a generator node makes its values of: a mapping with a `type`, as the web UI writes it."""

    def _check(self, value: Any) -> Mapping[str, Any]:
        try:
            generate(value)
        except ValueError as error:
            self._refuse(value, f"a generator as the web UI writes it; here {error}")
        return dict(value)


class ModelField(Field[Mapping[str, Any]]):
    """A model, as `{"key", "hash", "name", "base", "type"}`; anything with these attributes is taken for it."""

    @property
    def bases(self) -> tuple[str, ...]:
        """The base models it can be of; () for any."""
        return self.template.model_bases

    @property
    def types(self) -> tuple[str, ...]:
        """The model types it can be of; () for any."""
        return self.template.model_types

    def accepts(self, model: Mapping[str, Any]) -> bool:
        """Whether a model's base and type are among those that the field takes."""
        return (not self.bases or model["base"] in self.bases) and (not self.types or model["type"] in self.types)

    def _check(self, value: Any) -> Mapping[str, Any]:
        model = _model(value)
        if not all(isinstance(part, str) and part for part in model.values()):
            self._refuse(
                value,
                "a model: one of client.dnn_model_repo.list_models(), or a mapping with " + ", ".join(_MODEL_PARTS),
            )
        if not self.accepts(model):
            kinds = " or ".join(self.types) or "model"
            self._refuse(value, f"a {kinds} of base {' or '.join(self.bases) or 'any'}")
        submodel = _part(value, "submodel_type")
        return {**model, "submodel_type": submodel} if submodel is not None else model


class LoRAField(Field[Mapping[str, Any]]):
    """A LoRA and its weight, as `{"lora", "weight"}`; a model alone is taken with a weight of 0.75, the web UI's."""

    def _check(self, value: Any) -> Mapping[str, Any]:
        given, weight = _part(value, "lora"), _part(value, "weight")
        model = _model(value if given is None else given)
        if not all(isinstance(part, str) and part for part in model.values()) or model["type"] != "lora":
            self._refuse(value, "a LoRA: a model of type 'lora', or {'lora': such a model, 'weight': a number}")
        number = 0.75 if weight is None else weight
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            self._refuse(value, "a LoRA with a finite number as its weight")
        return {"lora": model, "weight": number}


class ListField(Field[Any], Generic[T]):
    """A list of what another field takes, such as a list of numbers or of images.

    Args:
        item: a field of the type of one element.
        allows_single: one element may stand for itself, as in `cfg_scale`.
    """

    def __init__(self, item: Field[T], *, allows_single: bool, initial: Any = UNSET) -> None:
        super().__init__(item.place, item.template, initial)
        self._item = item
        self._allows_single = allows_single

    def _check(self, value: Any) -> list[T] | T:
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence):
            if self._allows_single:
                # Sent as it is: the server takes one or a list.
                return self._item._check(value)
            self._refuse(value, f"a {self.type_name}")
        low, high = self.template.min_items or 0, self.template.max_items
        if len(value) < low or (high is not None and len(value) > high):
            self._refuse(value, f"{low} to {'any number of' if high is None else high} elements")
        return [self._item._check(element) for element in value]


class RawField(Field[Any]):
    """JSON of a type that this client has no field for, such as a custom node's own."""

    def _check(self, value: Any) -> Any:
        try:
            return as_json(value)
        except ValueError as error:
            self._refuse(value, f"what JSON can hold ({error})")


def _integer(field: Field[Any], value: Any) -> int:
    if isinstance(value, bool | str | float) or not isinstance(value, SupportsIndex):
        field._refuse(value, f"a whole number{_bounds(field.template)}")
    try:
        number = operator.index(value)
    except (TypeError, ValueError):
        # Arrays have the method, but only those of one element an answer.
        field._refuse(value, f"a whole number{_bounds(field.template)}")
    _check_bounds(field, number, "a whole number")
    return number


def _float(field: Field[Any], value: Any) -> float:
    if isinstance(value, bool | str | bytes) or not isinstance(value, SupportsFloat | SupportsIndex):
        field._refuse(value, f"a number{_bounds(field.template)}")
    try:
        # A whole number stays one: 7 is sent as 7, as the web UI would.
        number = value if isinstance(value, int) else float(value)
        finite = math.isfinite(number)
    except (OverflowError, ValueError, TypeError):
        number, finite = math.nan, False
    if not finite:
        field._refuse(value, f"a finite number{_bounds(field.template)}")
    _check_bounds(field, number, "a number")
    return number


def _boolean(field: Field[Any], value: Any) -> bool:
    if not isinstance(value, bool):
        field._refuse(value, "True or False")
    return value


def _string(field: Field[Any], value: Any) -> str:
    if not isinstance(value, str):
        field._refuse(value, "text")
    low, high = field.template.min_length or 0, field.template.max_length
    if len(value) < low or (high is not None and len(value) > high):
        field._refuse(value, f"text of {low} to {'any number of' if high is None else high} characters")
    return value


def _named(field: Field[Any], value: Any, key: str, wants: str) -> Mapping[str, str]:
    name = value if isinstance(value, str) else _part(value, key)
    if not isinstance(name, str) or not name:
        field._refuse(value, wants)
    return {key: name}


_MODEL_PARTS = ("key", "hash", "name", "base", "type")


def _model(value: Any) -> dict[str, Any]:
    """The parts of a model's identity, from a mapping or a record."""
    return {name: _part(value, name) for name in _MODEL_PARTS}


def _part(value: Any, name: str) -> Any:
    """A part of a mapping, or of a record; None where there is none."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _check_bounds(field: Field[Any], number: float, what: str) -> None:
    limits = field.template
    fits = (
        (limits.minimum is None or number >= limits.minimum)
        and (limits.maximum is None or number <= limits.maximum)
        and (limits.exclusive_minimum is None or number > limits.exclusive_minimum)
        and (limits.exclusive_maximum is None or number < limits.exclusive_maximum)
        and (limits.multiple_of is None or _is_multiple(number, limits.multiple_of))
    )
    if not fits:
        field._refuse(number, f"{what}{_bounds(limits)}")


def _is_multiple(number: float, step: float) -> bool:
    if isinstance(number, int) and isinstance(step, int):
        return number % step == 0
    try:
        return math.isclose(number / step, round(number / step), abs_tol=1e-9)
    except OverflowError:
        return False


def _bounds(limits: InputTemplate) -> str:
    words = [
        f"{relation} {bound if isinstance(bound, int) else format(bound, '.12g')}"
        for relation, bound in (
            ("at least", limits.minimum),
            ("above", limits.exclusive_minimum),
            ("at most", limits.maximum),
            ("below", limits.exclusive_maximum),
            ("a multiple of", limits.multiple_of),
        )
        if bound is not None
    ]
    return " " + ", ".join(words) if words else ""


_KINDS: dict[str, type[Field[Any]]] = {
    "IntegerField": IntegerField,
    "FloatField": FloatField,
    "BooleanField": BooleanField,
    "StringField": StringField,
    "EnumField": EnumField,
    "SchedulerField": SchedulerField,
    "ColorField": ColorField,
    "ImageField": ImageField,
    "VideoField": VideoField,
    "BoardField": BoardField,
    "ModelIdentifierField": ModelField,
    "LoRAField": LoRAField,
    "SavedWorkflowField": StringField,
    "StylePresetField": StylePresetField,
    "SystemPromptField": SystemPromptField,
    "FloatGeneratorField": GeneratorField,
    "IntegerGeneratorField": GeneratorField,
    "StringGeneratorField": GeneratorField,
    "ImageGeneratorField": GeneratorField,
}


def field_for(place: FieldPlace, template: InputTemplate, initial: Any = UNSET) -> Field[Any]:
    """The field for an input, by its template's type; a `RawField` for a type that this client does not know."""
    kind = _kind(template.type)
    if template.type.cardinality is Cardinality.SINGLE or kind is RawField:
        return kind(place, template, initial)
    allows_single = template.type.cardinality is Cardinality.SINGLE_OR_COLLECTION
    return ListField(kind(place, template), allows_single=allows_single, initial=initial)


def _kind(field_type: FieldType) -> type[Field[Any]]:
    if field_type.name in _KINDS:
        return _KINDS[field_type.name]
    return ModelField if is_model_type(field_type.name) else RawField
