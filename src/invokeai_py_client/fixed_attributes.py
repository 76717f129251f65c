"""Objects on which a mistyped attribute cannot be set."""

from __future__ import annotations

import difflib
import inspect
from functools import cache
from typing import TYPE_CHECKING, Any


class FixedAttributes:
    """Refuses to set a public attribute that the class neither has nor annotates.

    Example:
        >>> wf.inputs.Steps = 8
        Traceback (most recent call last):
        AttributeError: WorkflowInputs has no attribute 'Steps'. To set an input: wf.inputs['Steps'].value = ...
    """

    __slots__ = ()

    # Type checkers refuse it themselves, unless they see that a class has a method for it.
    if not TYPE_CHECKING:

        def __setattr__(self, name: str, value: object) -> None:
            if not name.startswith("_") and name not in _attributes_of(type(self)):
                raise AttributeError(
                    f"{type(self).__name__} has no attribute {name!r}.{self._instead_of(name)}", name=name, obj=self
                )
            super().__setattr__(name, value)

    def _instead_of(self, name: str) -> str:
        """Return the sentence that says what to write instead, with a space before it."""
        kind: Any = type(self)
        near = difflib.get_close_matches(name, _attributes_of(kind), n=1)
        return f" Did you mean {near[0]!r}?" if near else ""


@cache
def _attributes_of(kind: Any) -> frozenset[str]:
    """Return the names of the public attributes that a class has or annotates."""
    annotated = (name for base in kind.__mro__ for name in inspect.get_annotations(base))
    return frozenset(name for name in (*dir(kind), *annotated) if not name.startswith("_"))
