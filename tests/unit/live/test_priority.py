"""The names of priorities, as a hand may write them."""

from __future__ import annotations

import pytest

from invokeai_py_client.errors import SettingsError
from invokeai_py_client.live.priority import Priority


@pytest.mark.parametrize("name", ["low", "HIGH", "Urgent", "normal", Priority.HIGH])
def test_a_name_is_taken_whatever_its_case(name: str) -> None:
    assert Priority.of(name) == name.lower()
    assert isinstance(Priority.of(name), Priority)


def test_nothing_is_normal() -> None:
    assert Priority.of(None) is Priority.NORMAL


@pytest.mark.parametrize(("number", "priority"), [(0, Priority.NORMAL), (-1, Priority.NORMAL), (5, Priority.URGENT)])
def test_a_number_above_zero_goes_first(number: int, priority: Priority) -> None:
    assert Priority.of(number) is priority


@pytest.mark.parametrize("value", ["soon", "", 5.5, ["low"], True, b"low"])
def test_anything_else_is_refused_with_the_names(value: object) -> None:
    with pytest.raises(SettingsError, match="Use one of low, normal, high, urgent") as caught:
        Priority.of(value)
    assert caught.value.setting == "priority"
    assert isinstance(caught.value, ValueError)
