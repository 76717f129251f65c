"""The generated module in `examples/` is what codegen writes today."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from tests.support.forms import FormOf

from invokeai_py_client import generate_module
from invokeai_py_client.workflow.templates import NodeTemplates

ROOT = Path(__file__).parents[3]


def test_the_generated_module_of_the_examples_is_current() -> None:
    openapi = gzip.decompress((ROOT / "tests" / "data" / "openapi-6.14.2.json.gz").read_bytes())
    workflow = ROOT / "examples" / "generated" / "photo_effects.json"
    module = workflow.with_suffix(".py")
    form = FormOf(json.loads(workflow.read_text(encoding="utf-8")), NodeTemplates.from_openapi(json.loads(openapi)))
    # If this fails, run the command in examples/typed_module.py.
    assert generate_module(form, workflow, module=module) == module.read_text(encoding="utf-8")
