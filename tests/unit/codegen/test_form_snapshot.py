"""A generated module and the workflow that it is used with: what counts as a change of the form."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from tests.documents import container, edge, form, node, shown
from tests.support.forms import FormOf, loaded

from invokeai_py_client import errors
from invokeai_py_client.codegen.form_snapshot import KEEP, FormInput, FormSnapshot
from invokeai_py_client.codegen.module import generate_module
from invokeai_py_client.workflow.templates import NodeTemplates


def dropdown(*values: str) -> dict[str, Any]:
    element = shown("c", "kind", "value")
    options = [{"label": value.title(), "value": value} for value in values]
    element["data"]["settings"] = {"type": "string-field-config", "component": "dropdown", "options": options}
    return element


@pytest.fixture
def document() -> dict[str, Any]:
    return {
        "name": "tiger",
        "meta": {"version": "3.0.0", "category": "user"},
        "exposedFields": [],
        "nodes": [
            node("noise", "noise", "1.0.3", seed=3, width=64, height=64, use_cpu=True),
            node("scheduler", "scheduler", "1.0.0", scheduler="euler"),
            node("kind", "string", "1.0.1", value="oil"),
            node("int", "integer", "1.0.1", value=3),
        ],
        "edges": [],
        "form": form(
            container("root", "a", "b", "c"),
            shown("a", "noise", "width"),
            shown("b", "scheduler", "scheduler"),
            dropdown("oil", "ink"),
        ),
    }


@pytest.fixture
def module(document: dict[str, Any], templates: NodeTemplates) -> Any:
    return loaded(generate_module(FormOf(document, templates), Path("tiger.json")), "tiger")


def changes(module: Any, document: dict[str, Any], templates: NodeTemplates) -> tuple[str, ...]:
    try:
        module.FORM.check(FormOf(document, templates))
    except errors.FormChangedError as error:
        return error.changes
    return ()


def test_what_is_not_on_the_form_may_change(module: Any, document: dict[str, Any], templates: NodeTemplates) -> None:
    document["nodes"][0]["data"]["inputs"]["width"]["value"] = 128
    document["nodes"][0]["data"]["label"] = "Noise"
    document["nodes"].append(node("more", "string", "1.0.1", value="x"))
    document["form"]["elements"]["root"]["data"]["children"].reverse()
    document["form"]["elements"]["c"]["data"]["settings"]["options"].reverse()
    form = FormOf(document, templates)
    module.FORM.check(form)
    assert module.FORM.values(form, {"width": 8, "scheduler": KEEP, "value": "ink"}) == {2: 8, 0: "ink"}


def test_each_change_is_reported(module: Any, document: dict[str, Any], templates: NodeTemplates) -> None:
    assert changes(module, document, templates) == ()

    removed = copy.deepcopy(document)
    removed["form"]["elements"]["root"]["data"]["children"].remove("b")
    assert changes(module, removed, templates) == ("'Scheduler' was removed",)

    added = copy.deepcopy(document)
    added["form"]["elements"]["root"]["data"]["children"].append("d")
    added["form"]["elements"]["d"] = shown("d", "noise", "height")
    assert changes(module, added, templates) == ("'Height' was added",)

    renamed = copy.deepcopy(document)
    renamed["nodes"][0]["data"]["inputs"]["width"]["label"] = "How wide"
    assert changes(module, renamed, templates) == ("'Width' was renamed to 'How wide'",)

    fed = copy.deepcopy(document)
    fed["edges"].append(edge("int", "value", "noise", "width"))
    assert changes(module, fed, templates) == ("'Width' is fed by another node",)

    chosen = copy.deepcopy(document)
    chosen["form"]["elements"]["c"] = dropdown("oil", "chalk")
    assert changes(module, chosen, templates) == ("the choices of 'Value' are now without 'ink' and with 'chalk'",)

    free = copy.deepcopy(document)
    del free["form"]["elements"]["c"]["data"]["settings"]
    assert changes(module, free, templates) == ("the choices of 'Value' are now without 'oil', 'ink'",)


def test_a_dropdown_in_place_of_a_text_is_a_change(document: dict[str, Any], templates: NodeTemplates) -> None:
    free = copy.deepcopy(document)
    del free["form"]["elements"]["c"]["data"]["settings"]
    module = loaded(generate_module(FormOf(free, templates)))
    assert changes(module, document, templates) == ("the choices of 'Value' are now with 'oil', 'ink'",)


def test_another_type_is_a_change(document: dict[str, Any], templates: NodeTemplates) -> None:
    was = FormInput("width", "Width", "noise", "width", "FloatField")
    document["form"]["elements"]["root"]["data"]["children"] = ["a"]
    with pytest.raises(errors.FormChangedError) as raised:
        FormSnapshot("tiger.py", was).check(FormOf(document, templates))
    assert raised.value.changes == ("the type of 'Width' was FloatField, and is IntegerField",)


def test_a_newer_server_may_call_an_input_something_else(document: dict[str, Any], templates: NodeTemplates) -> None:
    document["form"]["elements"]["root"]["data"]["children"] = ["a"]
    was = FormInput("width", "Older title", "noise", "width", "IntegerField")
    FormSnapshot("tiger.py", was).check(FormOf(document, templates))


def test_choices_of_the_server_may_only_be_added(
    module: Any, document: dict[str, Any], templates: NodeTemplates
) -> None:
    form = FormOf(document, templates)
    scheduler = form.inputs["Scheduler"]
    place = ("scheduler", "Scheduler", "scheduler", "scheduler", "SchedulerField")
    document["form"]["elements"]["root"]["data"]["children"] = ["b"]
    form = FormOf(document, templates)
    options = scheduler.field.template.options
    FormSnapshot("tiger.py", FormInput(*place, options[:3])).check(form)
    with pytest.raises(errors.FormChangedError, match="the choices of 'Scheduler' are now without 'old'"):
        FormSnapshot("tiger.py", FormInput(*place, (*options, "old"))).check(form)


def test_the_error_says_how_to_generate_it_again(
    module: Any, document: dict[str, Any], templates: NodeTemplates
) -> None:
    document["form"]["elements"]["root"]["data"]["children"] = ["a"]
    with pytest.raises(errors.FormChangedError) as raised:
        module.FORM.check(FormOf(document, templates))
    assert str(raised.value) == (
        "The form of 'tiger.json' has changed since '/modules/tiger.py' was generated: 'Scheduler' was removed; "
        "'Value' was removed. Generate the module again: invokeai-client codegen tiger.json -o /modules/tiger.py"
    )
    assert raised.value.source == "tiger.json"
    assert pickle.loads(pickle.dumps(KEEP)) is KEEP
    assert repr(KEEP) == "KEEP"
