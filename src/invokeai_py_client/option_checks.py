"""Validation of the options of public methods."""

from __future__ import annotations

import operator
from typing import SupportsIndex

from invokeai_py_client.errors import SettingsError
from invokeai_py_client.workflow.fields import shortened


def whole(value: object) -> int | None:
    """Return an integer, including a numpy integer, as an int; None for anything else, including booleans."""
    try:
        return operator.index(value) if isinstance(value, SupportsIndex) and not isinstance(value, bool) else None
    except TypeError:
        # A numpy array has the method, but only converts if it has exactly one element.
        return None


def at_least_one(name: str, value: object) -> int:
    """Return an integer of at least 1 as an int.

    Args:
        name: the name of the option, for the error.
        value: the value that was passed.

    Raises:
        SettingsError: the value is anything else.
    """
    number = whole(value)
    if number is None or number < 1:
        raise unusable(name, value, "an integer of at least 1")
    return number


def unusable(name: str, value: object, wanted: str) -> SettingsError:
    """Return the error for an option with an invalid value."""
    return SettingsError(
        f"`{name}` must be {wanted}, got {shortened(value)}.", setting=name, hint="Nothing was submitted."
    )
