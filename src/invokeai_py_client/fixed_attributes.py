"""Objects that reject unknown attributes, with a hint."""

from __future__ import annotations

import difflib
import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

from invokeai_py_client.earlier_names import hint_for

_PACKAGE = f"{__package__}."


class FixedAttributes:
    """A base class that does not allow setting a public attribute that the class neither has nor annotates.

    The error suggests the most similar attribute, or the replacement for a name of client 1.1.

    Example:
        >>> wf.inputs.Steps = 8
        Traceback (most recent call last):
        AttributeError: WorkflowInputs has no attribute 'Steps'. To set an input: wf.inputs['Steps'].value = ...
    """

    __slots__ = ()

    # Type checkers reject unknown attributes themselves, unless a class defines `__setattr__` or `__getattr__`.
    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: object) -> None:
            kind = type(self)
            # A subclass of the user may have any attribute, as type checkers say.
            if not name.startswith("_") and name not in _attributes_of(kind) and kind.__module__.startswith(_PACKAGE):
                hint = hint_for(kind, name)
                raise _unknown(kind, name, f" {hint}" if hint else self._instead_of(name))
            super().__setattr__(name, value)

        def __getattr__(self, name: str) -> Any:
            kind = type(self)
            if name.startswith("__") or hasattr(kind, name):
                # A property raised an AttributeError: evaluating it again raises the same error.
                return object.__getattribute__(self, name)
            hint = hint_for(kind, name)
            raise _unknown(kind, name, f" {hint}" if hint else FixedAttributes._instead_of(self, name))

    def _instead_of(self, name: str) -> str:
        """Return a sentence that says what to write instead, with a leading space."""
        kind: Any = type(self)
        near = difflib.get_close_matches(name, _attributes_of(kind), n=1)
        return f" Did you mean {near[0]!r}?" if near else ""


def _unknown(kind: type, name: str, hint: str) -> AttributeError:
    # Without `name` and `obj`, for which the interpreter would add its own suggestion.
    return AttributeError(f"{kind.__name__} has no attribute {name!r}.{hint}")


@cache
def _attributes_of(kind: Any) -> frozenset[str]:
    """Return the names of the public attributes that a class has or annotates."""
    annotated = (name for base in kind.__mro__ for name in inspect.get_annotations(base))
    return frozenset(name for name in (*dir(kind), *annotated) if not name.startswith("_"))
