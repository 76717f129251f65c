from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client.workflow.fields import UNSET, FieldPlace
from invokeai_py_client.workflow.model_binding import bind_models
from invokeai_py_client.workflow.resource_fields import ModelField
from invokeai_py_client.workflow.templates import NodeTemplates


def model(key: str, name: str = "dream", base: str = "sd-1", kind: str = "main", digest: str = "") -> dict[str, Any]:
    return {"key": key, "hash": digest or f"hash-{key}", "name": name, "base": base, "type": kind}


def bound(templates: NodeTemplates, wanted: Any, installed: list[dict[str, Any]], **rules: bool) -> str | None:
    field = ModelField(FieldPlace("n", "t", "", "model"), templates["main_model_loader"].inputs["model"], wanted)
    binding = bind_models([field], installed, **{"by_name": True, "by_base": True, **rules})
    assert len(binding) + len(binding.unbound) <= 1
    return None if binding.unbound or field.value is None else dict(field.raw)["key"]


WANTED = model("w", "dream", "sd-1", digest="dh")


@pytest.mark.parametrize(
    ("installed", "rules", "key"),
    [
        ([model("w"), model("x", digest="dh")], {}, "w"),
        ([model("x", digest="dh"), model("y", "dream")], {}, "x"),
        ([model("x", "dream"), model("y", "dream", "sd-2")], {}, "x"),
        ([model("y", "dream", "sd-2")], {}, "y"),
        ([model("y", "dream", "sd-2")], {"by_name": False}, None),
        ([model("z", "other"), model("y", "more", "sd-2")], {}, "z"),
        ([model("z", "other")], {"by_base": False}, None),
        ([model("z", "other"), model("y", "more")], {}, None),
        ([model("z", "dream", "flux")], {}, None),
        ([model("w", "dream", "sd-1", "vae")], {}, None),
        ([], {}, None),
    ],
)
def test_the_rules_go_in_their_order(
    templates: NodeTemplates, installed: list[dict[str, Any]], rules: dict[str, bool], key: str | None
) -> None:
    assert bound(templates, WANTED, installed, **rules) == key


def test_an_input_without_a_model_takes_the_only_one_that_fits(templates: NodeTemplates) -> None:
    assert bound(templates, UNSET, [model("a"), model("b", base="flux")]) == "a"
    assert bound(templates, UNSET, [model("a"), model("b")]) is None
    assert bound(templates, UNSET, [model("a")], by_base=False) is None


def test_what_is_right_already_is_no_change(templates: NodeTemplates) -> None:
    field = ModelField(FieldPlace("n", "t", "", "model"), templates["main_model_loader"].inputs["model"], model("a"))
    binding = bind_models([field], [model("a")], by_name=True, by_base=True)
    assert (len(binding), binding.unbound) == (0, ())
    assert not field.is_changed
