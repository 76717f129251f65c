"""Whatever a field is given, or a file holds for it: only our errors come out, and what is accepted can be sent."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.openapi import node_templates

from invokeai_py_client.errors import InputValueError
from invokeai_py_client.workflow.field_factory import field_for
from invokeai_py_client.workflow.fields import FieldPlace
from invokeai_py_client.workflow.references import references_in

TEMPLATES = node_templates()
PLACES = [(node, name) for node in TEMPLATES for name in TEMPLATES[node].inputs]

MODEL = {"key": "k", "hash": "h", "name": "n", "base": "sd-1", "type": "lora"}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["auto", "none", "#ff0000", "euler", MODEL, {"lora": MODEL, "weight": 1}, {"image_name": "a"}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["key", "r", "x_min", "type"]), inner),
    max_leaves=4,
)


@settings(max_examples=500)
@given(place=st.sampled_from(PLACES), held=values, value=values)
def test_what_a_field_accepts_is_what_the_server_accepts(place: tuple[str, str], held: Any, value: Any) -> None:
    node, name = place
    field = field_for(FieldPlace("id", node, "", name), TEMPLATES[node].inputs[name], held)
    field.fault()
    with contextlib.suppress(InputValueError):
        field.value = value
        if field.is_changed:
            assert field.fault() is None
        if not list(references_in(field.raw)) and field.is_set and field.is_changed:
            json.dumps(field.raw, allow_nan=False)
