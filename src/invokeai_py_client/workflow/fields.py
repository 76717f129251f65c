"""Typed input fields, which check a value against the node's template when it is assigned.

The value in the file is kept, whether or not it is valid, until another one is assigned.
"""

from __future__ import annotations

import copy
import difflib
import math
import operator
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Generic, NoReturn, Protocol, Self, SupportsFloat, SupportsIndex, TypeVar, cast

from invokeai_py_client.errors import InputConnectedError, InputValueError
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.workflow.edge import Edge
from invokeai_py_client.workflow.json_values import copied
from invokeai_py_client.workflow.templates import InputTemplate

T = TypeVar("T")

_SURROGATE = re.compile("[\ud800-\udfff]")
_MOST_BITS = 14_000
"""The maximum size of an integer: Python does not convert more than 4,300 digits to text."""


class Unset:
    """The type of UNSET, which stands for the value of an input without a value."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset()


@dataclass(frozen=True, slots=True)
class FieldPlace:
    """The place of a field: its node's id, type and label, its name, and the label that the web UI shows for it."""

    node_id: str
    node_type: str
    node_label: str
    name: str
    label: str = ""

    @property
    def path(self) -> str:
        """The place without the label, such as `noise.width of node 5f0c`."""
        node = f"node {self.node_id}" + (f" {self.node_label!r}" if self.node_label else "")
        return f"{self.node_type}.{self.name} of {node}" if self.name else f"{self.node_type}, {node}"

    def __str__(self) -> str:
        return f"{self.label!r} ({self.path})" if self.label else self.path


class InputEdges(Protocol):
    """The part of `WorkflowFields` that fields need: the edges."""

    def into(self, node_id: str, name: str) -> Sequence[Edge]:
        """Return the edges that feed an input."""
        ...

    def source_of(self, edge: Edge) -> str:
        """Return the name of the source node of an edge, for error messages."""
        ...

    def is_overridden(self, node_id: str, name: str) -> bool:
        """Return whether the edges into an input were removed, so that its own value is used."""
        ...

    def override(self, node_id: str, name: str, removed: bool) -> None:
        """Remove the edges into an input, or restore them."""
        ...


class Field(FixedAttributes, ABC, Generic[T]):
    """One input of one node.

    Args:
        place: the place of the field.
        template: the server's description of the input.
        initial: the value in the file; UNSET if there is none.
        edges: the workflow's edges; None for a field outside of a workflow.
    """

    place: FieldPlace
    template: InputTemplate

    def __init__(
        self, place: FieldPlace, template: InputTemplate, initial: Any = UNSET, *, edges: InputEdges | None = None
    ) -> None:
        self.place = place
        self.template = template
        self._edges = edges
        self._initial = initial
        # A copy, as handles share a document, and users may append to a list.
        self._value: Any = copied(initial)

    def _copy_among(self, edges: InputEdges) -> Self:
        """Return a copy with the current value, for other edges."""
        twin = copy.copy(self)
        twin._edges = edges
        twin._value = copied(self._value)
        return twin

    @property
    def value(self) -> T | None:
        """The value that would be sent; None if there is none.

        Assigning None clears an input that may be null, restores the file's value of an input with a default, and is an
        error for an input that the node requires.

        Raises:
            InputConnectedError: on assignment, if an edge feeds the field; `set` can override it.
            InputValueError: on assignment, if the template does not allow the value. The field keeps its value.
        """
        return None if self._value is UNSET else self._value

    @value.setter
    def value(self, value: Any) -> None:
        self.set(value)

    def set(self, value: Any, *, override_edge: bool = False) -> None:
        """Set the value, as assigning `value` does.

        Args:
            value: the value, or None, as for `value`.
            override_edge: remove the edges that feed the input from this handle's submissions. `reset` restores them.

        Raises:
            InputConnectedError: an edge feeds the field, and `override_edge` is False.
            InputValueError: the template does not allow the value. The field keeps its value.
        """
        feeding = self._feeding()
        if feeding and not override_edge:
            source = "" if self._edges is None else self._edges.source_of(feeding[0])
            raise InputConnectedError(
                f"{self.place} takes its value from {source}, through the edge {feeding[0]}, so its own value would be "
                "ignored.",
                node_id=self.place.node_id,
                node_type=self.place.node_type,
                field=self.place.name,
                value=value,
                edge=str(feeding[0]),
                hint=f"Call set(value, override_edge=True) to remove the edge, or set the inputs of {source}.",
            )
        if value is None and not self.template.required:
            if not self.template.nullable:
                self.reset()
                return
            taken: Any = UNSET
        else:
            taken = self.checked(value)
        self._value = taken
        if feeding and self._edges is not None:
            self._edges.override(self.place.node_id, self.place.name, removed=True)

    def checked(self, value: Any) -> T:
        """Validate a value, and return it in the form that is sent. The field is not changed.

        Raises:
            InputValueError: the template does not allow the value.
        """
        return self._check(value)

    @property
    def edge(self) -> Edge | None:
        """The edge that feeds the field; None if the field uses its own value."""
        feeding = self._feeding()
        return feeding[0] if feeding else None

    def _feeding(self) -> Sequence[Edge]:
        return () if self._edges is None else self._edges.into(self.place.node_id, self.place.name)

    @property
    def _is_edge_overridden(self) -> bool:
        return self._edges is not None and self._edges.is_overridden(self.place.node_id, self.place.name)

    @property
    def raw(self) -> Any:
        """The value as it would be sent; UNSET if nothing would be sent."""
        return self._value

    @property
    def type_name(self) -> str:
        """The server's name for the type of the values, such as `IntegerField`."""
        return str(self.template.type)

    @property
    def is_set(self) -> bool:
        """Whether the field has a value."""
        return self._value is not UNSET and self._value is not None

    @property
    def is_changed(self) -> bool:
        """Whether the value differs from the one in the file, or overrides an edge."""
        # Compares types as well, because True == 1.
        return type(self._value) is not type(self._initial) or self._value != self._initial or self._is_edge_overridden

    def reset(self) -> None:
        """Restore the value in the file, and the edge if it was overridden."""
        self._value = copied(self._initial)
        if self._edges is not None:
            self._edges.override(self.place.node_id, self.place.name, removed=False)

    def snapshot(self) -> tuple[Any, bool]:
        """Return the state for `restore`, to undo later assignments."""
        return self._value, self._is_edge_overridden

    def restore(self, state: tuple[Any, bool]) -> None:
        """Restore the state of an earlier `snapshot`, without checks."""
        self._value, overridden = state
        if self._edges is not None:
            self._edges.override(self.place.node_id, self.place.name, removed=overridden)

    def fault(self) -> str | None:
        """Return why the server would not accept the value; None if it would, or if there is no value.

        This finds faults in the values of a file, as assigned values are checked on assignment. Values that the server
        converts, such as a number for a string, are not faults.
        """
        if not self.is_set or self.template.input == "connection":
            return None
        refused = self.refusal_of(self._value)
        return (
            None
            if refused is None
            else f"its value {shortened(refused.value)} is not allowed: it takes {refused.expected}"
        )

    def refusal_of(self, value: Any) -> InputValueError | None:
        """Return the error for a value that the server would not accept in this input; None if it would."""
        try:
            self._check_sendable(value)
        except InputValueError as error:
            return error
        return None

    @abstractmethod
    def _check(self, value: Any) -> T:
        """Return the value in the form that is sent; raise an InputValueError if it is not allowed."""

    def _check_sendable(self, value: Any) -> None:
        """Raise an InputValueError for a value that the server would not accept."""
        self._check(value)

    def _refuse(self, value: object, wants: str, hint: str = "") -> NoReturn:
        raise InputValueError(
            f"{self.place} cannot be {shortened(value)}: it takes {wants}.",
            node_id=self.place.node_id,
            node_type=self.place.node_type,
            field=self.place.name,
            value=value,
            expected=wants,
            hint=hint,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.place} = {self._value!r}>"


class IntegerField(Field[int]):
    """A whole number within the template's bounds."""

    def _check(self, value: Any) -> int:
        return _integer(self, value)

    def _check_sendable(self, value: Any) -> None:
        # The server accepts true for 1.
        _integer(self, int(value) if isinstance(value, bool) else value)


class FloatField(Field[float]):
    """A finite number within the template's bounds."""

    def _check(self, value: Any) -> float:
        return _float(self, value)

    def _check_sendable(self, value: Any) -> None:
        _float(self, int(value) if isinstance(value, bool) else value)


class BooleanField(Field[bool]):
    """True or False."""

    def _check(self, value: Any) -> bool:
        return _boolean(self, value)

    def _check_sendable(self, value: Any) -> None:
        if value not in (0, 1):
            _boolean(self, value)


class StringField(Field[str]):
    """Text within the template's length."""

    def _check(self, value: Any) -> str:
        return _string(self, value)

    def _check_sendable(self, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            _string(self, value)


class EnumField(Field[str]):
    """One of the template's options. Accepts the label that the web UI shows for an option.

    Accepts any text if the node's type does not list options, as custom nodes may do for a scheduler.
    """

    @property
    def options(self) -> tuple[Any, ...]:
        """The allowed values; an empty tuple if any text is allowed."""
        return self.template.options

    def _check(self, value: Any) -> str:
        if not self.options:
            return _string(self, value)
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value in self.options:
            # The option itself, not an equal member of an enum.
            return cast("str", self.options[self.options.index(value)])
        by_label = {label: option for option, label in self.template.option_labels.items() if option in self.options}
        if not isinstance(value, str) or value not in by_label:
            self._refuse(value, self._choices, did_you_mean(value, [*map(str, self.options), *by_label]).rstrip())
        return by_label[value]

    def _check_sendable(self, value: Any) -> None:
        # Labels of options are only converted on assignment, not in a file.
        if self.options and value not in self.options:
            self._refuse(value, self._choices)

    @property
    def _choices(self) -> str:
        return "one of " + ", ".join(repr(option) for option in self.options)


class SchedulerField(EnumField):
    """The name of a scheduler."""

    @staticmethod
    def normalize_alias(name: str) -> str:
        """Convert a scheduler name of another program to the server's name.

        Example:
            >>> SchedulerField.normalize_alias("Euler Ancestral")
            'euler_a'
        """
        plain = re.sub(r"[\s-]+", "_", name.strip().lower())
        return "euler_a" if plain == "euler_ancestral" else name


class ColorField(Field[Mapping[str, int]]):
    """A color as `{"r", "g", "b", "a"}` in 0..255. Accepts `"#rrggbb"`, `"#rrggbbaa"` and tuples."""

    def _check(self, value: Any) -> Mapping[str, int]:
        wants = "a color: {'r', 'g', 'b', 'a'} in 0..255, a tuple of 3 or 4, '#rrggbb' or '#rrggbbaa'"
        parts: Sequence[Any]
        if isinstance(value, str) and re.fullmatch(r"#(?:[0-9a-fA-F]{2}){3,4}", value):
            parts = list(bytes.fromhex(value[1:]))
        elif isinstance(value, Mapping) and set(value) in ({"r", "g", "b"}, {"r", "g", "b", "a"}):
            parts = [value[name] for name in "rgba" if name in value]
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes) and len(value) in {3, 4}:
            parts = value
        else:
            self._refuse(value, wants)
        numbers = [_whole(part) for part in parts]
        if not all(number is not None and 0 <= number <= 255 for number in numbers):
            self._refuse(value, wants)
        return dict(zip("rgba", [*cast("list[int]", numbers), 255][:4], strict=True))

    def _check_sendable(self, value: Any) -> None:
        if not isinstance(value, Mapping) or not set(value) >= set("rgba"):
            self._refuse(value, "a color: {'r', 'g', 'b', 'a'} in 0..255")
        self._check({name: value[name] for name in "rgba"})


class BoundingBoxField(Field[Mapping[str, Any]]):
    """A box in pixels as `{"x_min", "x_max", "y_min", "y_max"}`, and optionally a `score` of 0 to 1.

    Accepts a tuple of (x_min, y_min, x_max, y_max), in the same order as Pillow.
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
        if any(_whole(part) is None for part in parts):
            self._refuse(value, wants)
        parts = [_whole(part) for part in parts]
        if parts[0] > parts[2] or parts[1] > parts[3]:
            self._refuse(value, f"{wants}, with each minimum below its maximum")
        if score is not None and (isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1):
            self._refuse(value, f"{wants}, with a score of 0 to 1")
        return {**dict(zip(sides, parts, strict=True)), "score": score}


def _integer(field: Field[Any], value: Any) -> int:
    number = _whole(value)
    if number is None:
        field._refuse(value, f"a whole number{bounds(field.template)}")
    _checkbounds(field, number, "a whole number")
    return number


def _whole(value: Any) -> int | None:
    """Convert a whole number, such as 512, 512.0 or a numpy number, to an int; None if it is not one."""
    value = _plain(value)
    if isinstance(value, bool | str | bytes):
        return None
    if isinstance(value, int):
        return operator.index(value) if value.bit_length() <= _MOST_BITS else None
    try:
        if isinstance(value, SupportsIndex):
            return operator.index(value)
        # Arrays and decimals lack `is_integer()`.
        return int(value) if value.is_integer() is True else None
    except (TypeError, ValueError, AttributeError, OverflowError):
        return None


def _plain(value: Any) -> Any:
    """Convert a scalar of another library, such as numpy's, to a Python number or boolean."""
    is_scalar = getattr(value, "shape", None) == () and callable(getattr(value, "item", None))
    return value.item() if is_scalar else value


def _float(field: Field[Any], value: Any) -> float:
    number = finite_number(value)
    if number is None:
        field._refuse(value, f"a finite number{bounds(field.template)}")
    _checkbounds(field, number, "a number")
    return number


def finite_number(value: Any) -> float | None:
    """Convert a finite number, such as a Decimal or a numpy number, to a float; None if it is not one.

    An int stays an int: like the web UI, send 7 as 7.
    """
    value = _plain(value)
    if isinstance(value, bool | str | bytes) or not isinstance(value, int | float | SupportsFloat | SupportsIndex):
        return None
    try:
        number = value if isinstance(value, int) else float(value)
        return number if math.isfinite(number) else None
    except (OverflowError, ValueError, TypeError):
        return None


def _boolean(field: Field[Any], value: Any) -> bool:
    plain = _plain(value)
    if not isinstance(plain, bool):
        field._refuse(value, "True or False")
    return plain


def _string(field: Field[Any], value: Any) -> str:
    if not isinstance(value, str):
        field._refuse(value, "text")
    if _SURROGATE.search(value):
        field._refuse(value, "text; this one has an unpaired surrogate, which cannot be sent")
    low, high = field.template.min_length or 0, field.template.max_length
    if len(value) < low or (high is not None and len(value) > high):
        field._refuse(value, f"text of {low} to {'any number of' if high is None else high} characters")
    # A subclass of str, such as an enum member, may override `__str__`.
    return str.__str__(value)


def _checkbounds(field: Field[Any], number: float, what: str) -> None:
    limits = field.template
    fits = (
        (limits.minimum is None or number >= limits.minimum)
        and (limits.maximum is None or number <= limits.maximum)
        and (limits.exclusive_minimum is None or number > limits.exclusive_minimum)
        and (limits.exclusive_maximum is None or number < limits.exclusive_maximum)
        and (not limits.multiple_of or _is_multiple(number, limits.multiple_of))
    )
    if not fits:
        field._refuse(number, f"{what}{bounds(limits)}")


def _is_multiple(number: float, step: float) -> bool:
    if isinstance(number, int) and isinstance(step, int):
        return number % step == 0
    try:
        # The server's tolerance, or the precision of a float if that is larger.
        return abs(number - round(number / step) * step) <= max(1e-9, abs(number) * sys.float_info.epsilon)
    except OverflowError:
        return False


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """Return a question with the most similar name, "" if none is similar."""
    folded = {one.casefold(): one for one in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1) if isinstance(name, str) else []
    return f"Did you mean {folded[near[0]]!r}? " if near else ""


def shortened(value: object) -> str:
    """Return the repr of a value for messages, in at most 80 characters; a path is shown whole."""
    if isinstance(value, PurePath):
        return repr(str(value))
    try:
        shown = repr(value)
    except ValueError:
        # Python does not convert integers of more than 4,300 digits to text.
        return f"{type(value).__name__} with too many digits to show"
    return shown if len(shown) <= 80 else shown[:77] + "..."


def bounds(limits: InputTemplate) -> str:
    """Return the bounds of a number in words, with a leading space; "" if there are none."""
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
