from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.value_readers import (
    Part,
    Reader,
    anything,
    boolean,
    first_of,
    integer,
    integer_from,
    list_of,
    name,
    nullish,
    number,
    object_of,
    one_of,
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
    ("make", "value", "read"),
    [
        (lambda: number, 3, 3),
        (lambda: number, 1.5, 1.5),
        (lambda: number, 10**400, UNSET),
        (lambda: number, True, UNSET),
        (lambda: number, "1", UNSET),
        (lambda: integer, 3.0, 3),
        (lambda: integer, -3, -3),
        (lambda: integer, 3.5, UNSET),
        (lambda: integer, 2**53 - 1, 2**53 - 1),
        (lambda: integer, -(2**53) + 1, -(2**53) + 1),
        (lambda: integer, 2**53, UNSET),
        (lambda: integer, "3", UNSET),
        (lambda: integer_from(0, 255), 0, 0),
        (lambda: integer_from(0, 255), 255, 255),
        (lambda: integer_from(0, 255), 256, UNSET),
        (lambda: integer_from(0, 255), -1, UNSET),
        (lambda: integer_from(0, 255), "1", UNSET),
        (lambda: integer_from(1), 0, UNSET),
        (lambda: integer_from(1), 2**53 - 1, 2**53 - 1),
        (lambda: text, "", ""),
        (lambda: text, 3, UNSET),
        (lambda: boolean, False, False),
        (lambda: boolean, 1, UNSET),
        (lambda: name, " a ", "a"),
        (lambda: name, " ", UNSET),
        (lambda: name, 3, UNSET),
        (lambda: text_from(1), " ", " "),
        (lambda: text_from(1), "", UNSET),
        (lambda: text_from(1), 5, UNSET),
        # A character beyond the first 65,536 counts as two in JavaScript.
        (lambda: text_from(3), "a\U0001f600", "a\U0001f600"),
        (lambda: text_from(3), "a\ud83d\ude00", "a\ud83d\ude00"),
        (lambda: text_from(3), "ab", UNSET),
        (lambda: anything, None, None),
        (lambda: record, {"a": 1}, {"a": 1}),
        (lambda: record, [], UNSET),
        (lambda: one_of(("a", "b")), "b", "b"),
        (lambda: one_of(("a", "b")), "c", UNSET),
        (lambda: one_of(None), "c", "c"),
        (lambda: one_of(None), 3, UNSET),
        (lambda: list_of(number), [], []),
        (lambda: list_of(name), [" a", "b "], ["a", "b"]),
        (lambda: list_of(number), [1, None], UNSET),
        (lambda: list_of(text), "12", UNSET),
        (lambda: list_of(text), ("1", "2"), UNSET),
        (lambda: first_of(number, text), "a", "a"),
        (lambda: first_of(number, text), 1, 1),
        # The first that fits decides, even where a later one would read the value otherwise.
        (lambda: first_of(text, name), " a ", " a "),
        (lambda: first_of(number, text), None, UNSET),
        (lambda: first_of(), "a", UNSET),
        (lambda: nullish(text).reader, None, None),
        (lambda: nullish(text).reader, "a", "a"),
        (lambda: nullish(text).reader, 3, UNSET),
        (lambda: optional(text).reader, None, UNSET),
        (lambda: optional(text).reader, "a", "a"),
    ],
)
def test_a_reader_takes_what_fits(make: Callable[[], Reader], value: Any, read: Any) -> None:
    found = make()(value)
    assert found is UNSET if read is UNSET else found == read
    assert type(found) is type(read)


def test_an_object_has_its_parts_and_no_others() -> None:
    read = object_of(a=number, b=optional(text), c=nullish(text), d=Part(number, 5))
    assert read({"a": 1, "x": 2}) == {"a": 1, "d": 5}
    assert read({"a": 1, "b": "b", "c": None, "d": 6}) == {"a": 1, "b": "b", "c": None, "d": 6}
    broken: Any
    for broken in ({}, {"a": "1"}, {"a": 1, "b": None}, {"a": 1, "c": 3}, {"a": 1, "d": None}, [], None):
        assert read(broken) is UNSET
