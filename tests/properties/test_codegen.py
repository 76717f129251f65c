"""Whatever a workflow file holds, it is data in the module that is generated for it, never code."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.documents import container, form, node, shown
from tests.support.forms import FormOf, loaded
from tests.support.openapi import node_templates

from invokeai_py_client.codegen.module import generate_module

TEMPLATES = node_templates()

HOSTILE = '"""\nimport os\nos.system("x")\n"""'

ODD = "\"'\\ \n\r\t#{}()\u2028\u202e\x00ab"
texts = st.text(st.characters(codec=None), max_size=120) | st.text(ODD, max_size=200)
sendable = st.text(st.characters(codec="utf-8"), max_size=120) | st.text(ODD, max_size=200)


def document(label: str, description: str, value: str, name: str, choices: list[str]) -> dict[str, Any]:
    """A workflow with a text, a dropdown and a number whose texts are those."""
    prompt = node("prompt", "string", "1.0.1", value=value)
    prompt["data"]["inputs"]["value"] |= {"label": label, "description": description}
    other = node("other", "string", "1.0.1", value=choices[0])
    other["data"]["inputs"]["value"] |= {"label": label, "description": description}
    noise = node("noise", "noise", "1.0.3", seed=3, width=64, height=64, use_cpu=True)
    noise["data"]["inputs"]["width"]["label"] = label
    dropdown = shown("b", "other", "value")
    dropdown["data"]["settings"] = {
        "type": "string-field-config",
        "component": "dropdown",
        "options": [{"label": choice, "value": choice} for choice in choices],
    }
    return {
        "name": name,
        "meta": {"version": "3.0.0", "category": "user"},
        "exposedFields": [],
        "nodes": [prompt, other, noise],
        "edges": [],
        "form": form(
            container("root", "a", "b", "c"), shown("a", "prompt", "value"), dropdown, shown("c", "noise", "width")
        ),
    }


def shape(text: str) -> list[str]:
    """The kinds of all parts of a module, in order: what it is, whatever its names and constants are."""
    return [type(part).__name__ for part in ast.walk(ast.parse(text))]


@settings(max_examples=25)
@given(texts, texts, sendable, texts, st.lists(sendable, min_size=2, max_size=2, unique=True))
@example(HOSTILE, HOSTILE, HOSTILE, HOSTILE, [HOSTILE, '"'])
@example('"', '"', '"', '"', ["'", '"'])
@example("\\", "\\", "\\", "\\", ["\\", "\\\\"])
@example("\\N{DIGIT ONE}", "\\N{", "{x}", "\\u0041", ["\\x", "%s"])
@example("\ud800", "\ud800", "", "\ud800", ["a", "b"])
@example("class", "lambda", "None", "import", ["True", "def"])
@example("אבג", "\u202e\u2066x\u2069", "👩\u200d👩\u200d👧", "提示", ["", "\n"])
@example("", "", "", "", ["", " "])
def test_texts_of_a_workflow_are_data(label: str, description: str, value: str, name: str, choices: list[str]) -> None:
    form = FormOf(document(label, description, value, name, choices), TEMPLATES)
    text = generate_module(form, Path(f"{name[:20]}.json".replace("/", "").replace("\0", "")))
    plain = FormOf(document("Label", "What it is for.", "a tiger", "tiger", ["one", "two"]), TEMPLATES)
    assert shape(text) == shape(generate_module(plain, Path("tiger.json")))
    text.encode("utf-8")
    assert all(one.isprintable() or one == "\n" for one in text)

    module = loaded(text)
    inputs = vars(module.Inputs())
    assert len(inputs) == 3
    read = form.inputs["prompt", "value"].value
    assert [*inputs.values()] == [read, choices[0], 64]
    module.FORM.check(form)
    assert module.FORM.values(form, inputs) == {0: read, 1: choices[0], 2: 64}
    annotations = module.Columns.__annotations__
    assert annotations.keys() == inputs.keys()
    assert all(one.isascii() and one.isidentifier() for one in inputs)


numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none() | texts
values = st.recursive(numbers, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


@settings(max_examples=25)
@given(values, values, values)
@example({"r": 1, "g": 2, "b": 3, "a": 255}, {"image_name": "../../x.png"}, {"board_id": "x"})
@example({"r": 1, "g": 2, "b": 3, "a": 4}, {"image_name": "a\nb"}, {"board_id": HOSTILE})
def test_a_module_can_be_generated_whatever_the_values_are(color: Any, image: Any, board: Any) -> None:
    given = {
        "name": "values",
        "meta": {"version": "3.0.0", "category": "user"},
        "exposedFields": [
            {"nodeId": "color", "fieldName": name} for name in ("color", "image", "board", "width", "mode", "steps")
        ]
        + [{"nodeId": "pad", "fieldName": name} for name in ("color", "image", "board", "top", "metadata")],
        "nodes": [
            node("color", "blank_image", "1.2.2", color=color, board=board, width=color, mode=image),
            node("pad", "infill_rgba", "1.2.2", color=image, image=image, board=board, metadata=color),
        ],
        "edges": [],
    }
    form = FormOf(given, TEMPLATES)
    before = [one.field.raw for one in form.inputs]
    module = loaded(generate_module(form))
    module.FORM.check(form)
    assert [one.field.raw for one in form.inputs] == before
