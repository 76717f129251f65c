"""The form of a workflow, as the web UI reads it (`zBuilderForm` in `types/workflow.ts`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.value_readers import (
    Part,
    Reader,
    boolean,
    first_of,
    list_of,
    name,
    number,
    object_of,
    one_of,
    optional,
    text,
)

MAX_SHOWN = 10_000
"""The maximum number of fields of a form, as containers that are nested repeatedly multiply their fields."""

field_identifier = object_of(nodeId=name, fieldName=name)


def _settings(kind: str, **parts: Reader | Part) -> Reader:
    return object_of(type=Part(one_of((f"{kind}-field-config",)), f"{kind}-field-config"), **parts)


def _number_settings(kind: str) -> Reader:
    return _settings(
        kind,
        showShuffle=Part(boolean, False),
        component=Part(one_of(("number-input", "slider", "number-input-and-slider")), "number-input"),
        min=optional(number),
        max=optional(number),
    )


_option = Part(object_of(label=text, value=text))
_field_settings = first_of(
    _number_settings("float"),
    _number_settings("integer"),
    _settings("string", component=Part(one_of(("input",)), "input")),
    _settings("string", component=Part(one_of(("textarea",)), "textarea")),
    _settings("string", component=Part(one_of(("dropdown",)), "dropdown"), options=list_of(_option.reader)),
)


def _element_of(kind: str, data: Reader | Part) -> Reader:
    return object_of(id=name, parentId=optional(name), type=one_of((kind,)), data=data)


_element = first_of(
    _element_of("container", object_of(layout=one_of(("row", "column")), children=list_of(name))),
    _element_of(
        "node-field",
        object_of(
            fieldIdentifier=field_identifier, showDescription=Part(boolean, True), settings=optional(_field_settings)
        ),
    ),
    _element_of("heading", object_of(content=text)),
    _element_of("text", object_of(content=text)),
    # A divider has no data at all.
    _element_of("divider", optional(lambda value: UNSET)),
)


class Form(NamedTuple):
    """The elements of a form by id, each of a known shape, and the id of its root."""

    elements: Mapping[str, Mapping[str, Any]]
    root: str

    @property
    def is_empty(self) -> bool:
        """Whether the form has no elements, not even a heading (`getIsFormEmpty`)."""
        root = self.elements.get(self.root)
        if root is None or root["type"] != "container":
            return True
        return len(self.elements) == 1 and not root["data"]["children"]

    def fields(self) -> Iterator[tuple[str, str]]:
        """Yield (node id, field name) of the inputs that the form shows, depth first. Inputs may repeat."""
        for data in islice(self._walk(), MAX_SHOWN):
            yield data["fieldIdentifier"]["nodeId"], data["fieldIdentifier"]["fieldName"]

    def settings(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        """Return the form's settings for its inputs, which narrow their templates: bounds, or choices of a dropdown."""
        found: dict[tuple[str, str], Mapping[str, Any]] = {}
        for data in islice(self._walk(), MAX_SHOWN):
            place = (data["fieldIdentifier"]["nodeId"], data["fieldIdentifier"]["fieldName"])
            found.setdefault(place, data.get("settings") or {})
        return found

    def _walk(self) -> Iterator[Mapping[str, Any]]:
        # Each entry is an element to visit; None closes the container that was opened last.
        todo: list[str | None] = [self.root]
        opened: dict[str, None] = {}
        visits = 0
        while todo and visits < 10 * MAX_SHOWN:
            visits += 1
            element_id = todo.pop()
            if element_id is None:
                opened.popitem()
                continue
            element = self.elements.get(element_id)
            if element is None:
                continue
            if element["type"] == "container" and element_id not in opened:
                opened[element_id] = None
                todo += [None, *reversed(element["data"]["children"])]
            elif element["type"] == "node-field":
                yield element["data"]


EMPTY = Form({}, "root")


def read_form(form: Any) -> Form:
    """Return the form of a document; an empty one if an element is malformed, as in the web UI."""
    if not isinstance(form, Mapping) or not isinstance(form.get("elements"), Mapping):
        return EMPTY
    root = name(form.get("rootElementId"))
    elements = {element_id: _element(element) for element_id, element in form["elements"].items()}
    if root is UNSET or any(element is UNSET for element in elements.values()):
        return EMPTY
    return Form(elements, root)


def malformed_elements(form: Any) -> list[str]:
    """Return the ids of the malformed elements of a form."""
    if not isinstance(form, Mapping) or not isinstance(form.get("elements"), Mapping):
        return []
    return [element_id for element_id, element in form["elements"].items() if _element(element) is UNSET]
