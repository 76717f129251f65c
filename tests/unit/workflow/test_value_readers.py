from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.json_values import as_double, as_javascript
from invokeai_py_client.workflow.value_readers import (
    Part,
    boolean,
    first_of,
    integer,
    integer_from,
    list_of,
    name,
    nullish,
    number,
    object_of,
    optional,
    record,
    text,
    text_from,
    trimmed,
)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (" a b ", "a b"),
        ("\ufeffa\u00a0\u3000", "a"),
        ("\u2028a\u2003", "a"),
        # str.strip would take these away.
        ("\x1ca\x85", "\x1ca\x85"),
        (" \n", ""),
    ],
)
def test_a_text_is_trimmed_as_javascript_trims(written: str, kept: str) -> None:
    assert trimmed(written) == kept


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (3, 3),
        (2**53 - 1, 2**53 - 1),
        (2**53 + 1, 2**53),
        (1152921504606846977, 1152921504606847000),
        (1.2345678901234567e20, 123456789012345670000),
        (10**22, 1e22),
        (0.1, 0.1),
        (10**400, None),
        (-(10**400), None),
        (float("inf"), None),
        (float("nan"), None),
    ],
)
def test_numbers_are_those_that_javascript_would_write(number: float, written: float | None) -> None:
    assert as_double(number) == written
    assert as_javascript({"a": [number, True, "x"]}) == {"a": [written, True, "x"]}


@pytest.mark.parametrize(
    ("reader", "value", "read"),
    [
        (number, 10**400, UNSET),
        (number, True, UNSET),
        (number, "1", UNSET),
        (integer, 3.0, 3.0),
        (integer, 3.5, UNSET),
        (integer, 2**53, UNSET),
        (integer_from(0, 255), 255, 255),
        (integer_from(0, 255), 256, UNSET),
        (integer_from(1), 0, UNSET),
        (boolean, 1, UNSET),
        (name, " a ", "a"),
        (name, " ", UNSET),
        (text_from(1), " ", " "),
        (text_from(1), "", UNSET),
        # A character beyond the first 65,536 counts as two in JavaScript.
        (text_from(3), "a\U0001f600", "a\U0001f600"),
        (text_from(3), "ab", UNSET),
        (record, [], UNSET),
        (list_of(number), [], []),
        (list_of(number), [1, None], UNSET),
        (list_of(number), "12", UNSET),
        (first_of(number, text), "a", "a"),
        (first_of(number, text), None, UNSET),
    ],
)
def test_a_reader_takes_what_fits(reader: Any, value: Any, read: Any) -> None:
    found = reader(value)
    assert found is UNSET if read is UNSET else found == read


def test_an_object_has_its_parts_and_no_others() -> None:
    read = object_of(a=number, b=optional(text), c=nullish(text), d=Part(number, 5))
    assert read({"a": 1, "x": 2}) == {"a": 1, "d": 5}
    assert read({"a": 1, "b": "b", "c": None, "d": 6}) == {"a": 1, "b": "b", "c": None, "d": 6}
    broken: Any
    for broken in ({}, {"a": "1"}, {"a": 1, "b": None}, {"a": 1, "c": 3}, {"a": 1, "d": None}, [], None):
        assert read(broken) is UNSET
