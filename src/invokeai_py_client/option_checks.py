"""Checks of the options of public methods, and the error for one that cannot be used."""

from __future__ import annotations

import operator
from typing import SupportsIndex

from invokeai_py_client.errors import SettingsError
from invokeai_py_client.workflow.fields import shortened


def whole(value: object) -> int | None:
    """Return an integer, also one of numpy, as an int; None for anything else, booleans too."""
    try:
        return operator.index(value) if isinstance(value, SupportsIndex) and not isinstance(value, bool) else None
    except TypeError:
        # An array of numpy has the method, and is one number only where it has one element.
        return None


def at_least_one(name: str, value: object) -> int:
    """Return an integer of at least 1 as an int.

    Args:
        name: of the option, for the error.
        value: what was passed.

    Raises:
        SettingsError: it is anything else.
    """
    number = whole(value)
    if number is None or number < 1:
        raise unusable(name, value, "an integer of at least 1")
    return number


def unusable(name: str, value: object, wanted: str) -> SettingsError:
    """Return the error for an option that cannot be used."""
    return SettingsError(
        f"`{name}` must be {wanted}, got {shortened(value)}.", setting=name, hint="Nothing was submitted."
    )
