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
from invokeai_py_client.workflow.json_values import copied
from invokeai_py_client.workflow.templates import InputTemplate

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


class BoundingBoxField(Field[Mapping[str, Any]]):
    """A box in pixels as `{"x_min", "x_max", "y_min", "y_max"}`, and a `score` of 0 to 1 if it has one.

    A tuple of (x_min, y_min, x_max, y_max), the order that Pillow has, is taken for one.
    """

    def _check(self, value: Any) -> Mapping[str, Any]:
        wants = "a box: {'x_min', 'x_max', 'y_min', 'y_max'} in pixels, or (x_min, y_min, x_max, y_max)"
        sides = ("x_min", "y_min", "x_max", "y_max")
        if isinstance(value, Mapping) and set(sides) <= set(value) <= {*sides, "score"}:
            parts, score = [value[side] for side in sides], value.get("score")
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes) and len(value) == 4:
            parts, score = [*value], None
        else:
            self._refuse(value, wants)
        if not all(isinstance(part, int) and not isinstance(part, bool) for part in parts):
            self._refuse(value, wants)
        if parts[0] > parts[2] or parts[1] > parts[3]:
            self._refuse(value, f"{wants}, the least before the greatest")
        if score is not None and (isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1):
            self._refuse(value, f"{wants}, with a score of 0 to 1")
        return {**dict(zip(sides, parts, strict=True)), "score": score}


def _integer(field: Field[Any], value: Any) -> int:
    if isinstance(value, bool | str | float) or not isinstance(value, SupportsIndex):
        field._refuse(value, f"a whole number{bounds(field.template)}")
    try:
        number = operator.index(value)
    except (TypeError, ValueError):
        # Arrays have the method, but only those of one element an answer.
        field._refuse(value, f"a whole number{bounds(field.template)}")
    _checkbounds(field, number, "a whole number")
    return number


def _float(field: Field[Any], value: Any) -> float:
    if isinstance(value, bool | str | bytes) or not isinstance(value, SupportsFloat | SupportsIndex):
        field._refuse(value, f"a number{bounds(field.template)}")
    try:
        # A whole number stays one: 7 is sent as 7, as the web UI would.
        number = value if isinstance(value, int) else float(value)
        finite = math.isfinite(number)
    except (OverflowError, ValueError, TypeError):
        number, finite = math.nan, False
    if not finite:
        field._refuse(value, f"a finite number{bounds(field.template)}")
    _checkbounds(field, number, "a number")
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


def _checkbounds(field: Field[Any], number: float, what: str) -> None:
    limits = field.template
    fits = (
        (limits.minimum is None or number >= limits.minimum)
        and (limits.maximum is None or number <= limits.maximum)
        and (limits.exclusive_minimum is None or number > limits.exclusive_minimum)
        and (limits.exclusive_maximum is None or number < limits.exclusive_maximum)
        and (limits.multiple_of is None or _is_multiple(number, limits.multiple_of))
    )
    if not fits:
        field._refuse(number, f"{what}{bounds(limits)}")


def _is_multiple(number: float, step: float) -> bool:
    if isinstance(number, int) and isinstance(step, int):
        return number % step == 0
    try:
        return math.isclose(number / step, round(number / step), abs_tol=1e-9)
    except OverflowError:
        return False


def bounds(limits: InputTemplate) -> str:
    """The bounds of a number in words, after a space; nothing where there is none."""
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
