from __future__ import annotations

import pytest

from invokeai_py_client.errors import SettingsError
from invokeai_py_client.option_checks import at_least_one, whole


class Index:
    """An integer of another library."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __index__(self) -> int:
        return self._number


class Array:
    """An array of several numbers, which has the method all the same."""

    def __index__(self) -> int:
        raise TypeError("only single elements")


def test_an_integer_of_another_library_is_an_int() -> None:
    assert [whole(value) for value in (3, Index(3), -1)] == [3, 3, -1]
    assert [whole(value) for value in (True, 3.0, "3", None, Array())] == [None] * 5
    assert type(at_least_one("runs", Index(3))) is int


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "1", None, [1], Array()])
def test_what_counts_nothing_is_refused_by_name(value: object) -> None:
    with pytest.raises(SettingsError, match=r"`runs` must be an integer of at least 1, got .*Nothing was") as caught:
        at_least_one("runs", value)
    assert caught.value.setting == "runs"


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(SettingsError) as caught:
        at_least_one("runs", "x" * 10_000)
    assert len(str(caught.value)) < 200
