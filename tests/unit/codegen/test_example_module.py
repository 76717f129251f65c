"""The generated module in `examples/` is what codegen writes today."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.forms import FormOf
from tests.support.openapi import node_templates

from invokeai_py_client import generate_module

ROOT = Path(__file__).parents[3]


def test_the_generated_module_of_the_examples_is_current() -> None:
    workflow = ROOT / "examples" / "generated" / "photo_effects.json"
    module = workflow.with_suffix(".py")
    form = FormOf(json.loads(workflow.read_text(encoding="utf-8")), node_templates())
    # If this fails, run the command in examples/typed_module.py.
    assert generate_module(form, workflow, module=module) == module.read_text(encoding="utf-8")
