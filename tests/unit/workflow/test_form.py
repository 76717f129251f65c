"""The form of a workflow, read as the web UI reads it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from tests.documents import container, form, heading, shown

from invokeai_py_client.workflow.form import MAX_SHOWN, malformed_elements, read_form

FIELD = shown("f", "n", "seed")


def with_settings(settings: Any) -> dict[str, Any]:
    return {**FIELD, "data": {**FIELD["data"], "settings": settings}}


def number_settings(kind: str, **changes: Any) -> dict[str, Any]:
    return {"type": f"{kind}-field-config", "component": "slider", "showShuffle": True, "min": 0, "max": 9, **changes}


def read_one(element: Any) -> Any:
    """The element as it was read; None if it is malformed."""
    given = form(container("root", element["id"]), element)
    assert malformed_elements(given) in ([], [element["id"]])
    return read_form(given).elements.get(element["id"])


@pytest.mark.parametrize(
    "element",
    [
        container("f"),
        {"id": "f", "type": "container", "data": {"layout": "row", "children": []}, "parentId": "root"},
        FIELD,
        {**FIELD, "data": {**FIELD["data"], "showDescription": False}},
        heading("f"),
        {"id": "f", "type": "text", "data": {"content": ""}, "parentId": "root"},
        {"id": "f", "type": "divider"},
        with_settings(number_settings("integer")),
        with_settings(number_settings("float", component="number-input")),
        with_settings(number_settings("float", component="number-input-and-slider", min=0.5)),
        *(
            with_settings({"type": "string-field-config", "component": component})
            for component in ("input", "textarea")
        ),
        with_settings(
            {
                "type": "string-field-config",
                "component": "dropdown",
                "options": [{"label": "A", "value": "a"}, {"label": "", "value": ""}],
            }
        ),
    ],
)
def test_an_element_of_a_known_shape_is_read_whole(element: dict[str, Any]) -> None:
    assert read_one(element) == element


@pytest.mark.parametrize(
    ("element", "read"),
    [
        ({**FIELD, "id": "f", "extra": 1}, FIELD),
        ({**FIELD, "parentId": " root "}, FIELD),
        ({**FIELD, "data": {"fieldIdentifier": {"nodeId": " n", "fieldName": "seed ", "x": 1}}}, FIELD),
        (
            with_settings({"type": "integer-field-config"}),
            with_settings({"type": "integer-field-config", "component": "number-input", "showShuffle": False}),
        ),
        # Even the type has a default: what says nothing is settings of a float.
        (
            with_settings({}),
            with_settings({"type": "float-field-config", "component": "number-input", "showShuffle": False}),
        ),
        (
            with_settings({"type": "string-field-config"}),
            with_settings({"type": "string-field-config", "component": "input"}),
        ),
    ],
)
def test_what_is_absent_is_filled_in_and_what_is_unknown_is_dropped(element: Any, read: Any) -> None:
    assert read_one(element) == read


@pytest.mark.parametrize(
    "element",
    [
        {**FIELD, "type": "picture"},
        {**FIELD, "parentId": " "},
        {**FIELD, "data": {}},
        {**FIELD, "data": {"fieldIdentifier": {"nodeId": "n"}}},
        {**FIELD, "data": {"fieldIdentifier": {"nodeId": "n", "fieldName": " "}}},
        {**FIELD, "data": {**FIELD["data"], "showDescription": None}},
        {"id": "f", "type": "container", "data": {"layout": "diagonal", "children": []}},
        {"id": "f", "type": "container", "data": {"layout": "row", "children": [""]}},
        {"id": "f", "type": "container", "data": {"layout": "row"}},
        {"id": "f", "type": "heading", "data": {"content": 1}},
        {"id": "f", "type": "divider", "data": {}},
        with_settings(None),
        with_settings({"type": "picture-field-config"}),
        with_settings(number_settings("integer", component="knob")),
        with_settings(number_settings("integer", showShuffle=1)),
        with_settings(number_settings("integer", min="0")),
        with_settings(number_settings("integer", max=None)),
        with_settings({"type": "string-field-config", "component": "dropdown"}),
        with_settings({"type": "string-field-config", "component": "dropdown", "options": [{"label": "A"}]}),
        with_settings({"type": "string-field-config", "component": "slider"}),
    ],
)
def test_one_malformed_element_makes_the_form_forgotten(element: dict[str, Any]) -> None:
    given = form(container("root", "g", "f"), shown("g", "n", "width"), element)
    assert malformed_elements(given) == ["f"]
    read = read_form(given)
    assert read.is_empty
    assert [*read.fields()] == []


def test_an_element_without_an_id_is_malformed() -> None:
    nameless = {key: value for key, value in FIELD.items() if key != "id"}
    assert malformed_elements({"rootElementId": "root", "elements": {"f": nameless, "root": container("root")}}) == [
        "f"
    ]


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        {},
        {"elements": [], "rootElementId": "root"},
        {"elements": {"root": container("root", "f"), "f": FIELD}},
        {"elements": {"root": container("root", "f"), "f": FIELD}, "rootElementId": " "},
        {"elements": {"root": container("root", "f"), "f": FIELD}, "rootElementId": "gone"},
    ],
)
def test_what_is_not_a_form_is_an_empty_one(given: Any) -> None:
    assert read_form(given).is_empty
    assert [*read_form(given).fields()] == []
    assert malformed_elements(given) == []


def test_the_root_is_trimmed() -> None:
    given = {**form(container("root", "f"), FIELD), "rootElementId": " root "}
    assert [*read_form(given).fields()] == [("n", "seed")]


def test_a_field_that_is_shown_twice_is_listed_twice_and_a_loop_ends() -> None:
    given = form(container("root", "f", "box", "f"), FIELD, container("box", "root", "box", "f", parent="root"))
    assert [*read_form(given).fields()] == [("n", "seed")] * 3


def test_a_container_that_was_closed_may_be_opened_again() -> None:
    given = form(container("root", "box", "box"), container("box", "f", parent="root"), FIELD)
    assert [*read_form(given).fields()] == [("n", "seed")] * 2


def test_a_root_that_is_a_field_shows_it_in_an_empty_form() -> None:
    given = {"rootElementId": "f", "elements": {"f": FIELD}}
    assert read_form(given).is_empty
    assert [*read_form(given).fields()] == [("n", "seed")]


def doubling(count: int, *last: dict[str, Any]) -> dict[str, Any]:
    """Containers each of which holds the next one twice."""
    names = ["root", *(f"box{i}" for i in range(count))]
    boxes = [container(one, following, following) for one, following in pairwise([*names, "f"])]
    return form(*boxes, *last)


def test_a_form_shows_a_bounded_number_of_fields() -> None:
    assert len([*read_form(doubling(5, FIELD)).fields()]) == 2**6
    assert len([*read_form(doubling(20, FIELD)).fields()]) == MAX_SHOWN


def test_a_form_of_containers_alone_ends_too() -> None:
    assert [*read_form(doubling(40, heading("f"))).fields()] == []


@pytest.mark.parametrize(
    ("elements", "empty"),
    [
        ([container("root")], True),
        ([heading("root")], True),
        ([container("other", parent="root")], True),
        ([container("root", "h"), heading("h")], False),
        ([container("root", "h"), {**heading("h"), "data": {}}], True),
        ([container("root", "d"), {"id": "d", "type": "divider", "parentId": "root"}], False),
        ([container("root", "d"), {"id": "d", "type": "divider", "parentId": "root", "data": {}}], True),
    ],
)
def test_a_form_with_nothing_but_a_heading_is_not_empty(elements: Any, empty: bool) -> None:
    assert read_form(form(*elements)).is_empty is empty
