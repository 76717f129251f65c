from __future__ import annotations

import keyword

import pytest
from tests.documents import node
from tests.support.forms import FormOf

from invokeai_py_client.codegen.names import class_name, field_names
from invokeai_py_client.workflow.templates import NodeTemplates

Labels = list[str | tuple[str, str]]


def names_of(templates: NodeTemplates, labels: Labels) -> list[str]:
    """The names for inputs with these labels, or (label, label of the node)."""
    nodes = []
    for number, one in enumerate(labels):
        label, node_label = (one, "") if isinstance(one, str) else one
        made = node(f"n{number}", "string", "1.0.1", value="")
        made["data"]["inputs"]["value"]["label"] = label
        made["data"]["label"] = node_label
        nodes.append(made)
    exposed = [{"nodeId": one["id"], "fieldName": "value"} for one in nodes]
    document = {
        "name": "w",
        "meta": {"version": "3.0.0", "category": "user"},
        "nodes": nodes,
        "edges": [],
        "exposedFields": exposed,
    }
    return field_names([*FormOf(document, templates).inputs])


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["Positive Prompt", "CFG"], ["positive_prompt", "cfg"]),
        (["Scale (2x, 4x, 8x)", "Model [SDXL]"], ["scale", "model"]),
        (["Model (canny)", "Model (depth)"], ["model_canny", "model_depth"]),
        (["CFG", "CFG (Low)"], ["cfg", "cfg_low"]),
        ([("Prompt", "Positive Prompt"), ("Prompt", "Negative Prompt")], ["positive_prompt", "negative_prompt"]),
        ([("Prompt", "First"), ("Prompt", "Second")], ["first_prompt", "second_prompt"]),
        (["Same", "same", "SAME!"], ["string_same", "string_same_2", "string_same_3"]),
        (["A 2", "a", "A"], ["a_2", "string_a", "string_a_2"]),
        (["2nd Prompt", "class", "str", "Self", "l"], ["input_2nd_prompt", "class_", "str_", "self_", "l_"]),
        (["Größe", "Naïve Façade", "ﬁne"], ["grosse", "naive_facade", "fine"]),
        (["提示", "👩", "(only this)"], ["string_value", "string_value_2", "only_this"]),
        (["None", "__class__", "a__b"], ["none", "class_", "a_b"]),
        (["a very long label that says what the input is for"], ["a_very_long_label_that_says_what"]),
        (["x" * 50], ["x" * 32]),
    ],
)
def test_a_name_is_the_label_as_somebody_would_write_it(
    templates: NodeTemplates, labels: Labels, names: list[str]
) -> None:
    found = names_of(templates, labels)
    assert found == names
    assert len({*found}) == len(found)
    assert all(name.isidentifier() and not keyword.iskeyword(name) for name in found)


def test_the_name_of_a_type_hides_no_other() -> None:
    assert class_name("generation_mode", set()) == "GenerationMode"
    assert class_name("run", {"Run"}) == "RunChoice"
    assert class_name("run", {"Run", "RunChoice"}) == "RunChoice_2"
    assert [class_name(name, set()) for name in ("none", "true", "false")] == [
        "NoneChoice",
        "TrueChoice",
        "FalseChoice",
    ]
