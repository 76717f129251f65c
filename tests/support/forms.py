"""A workflow's form without a client, and modules that were generated for it."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from typing import Any

from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.field_values import WorkflowFields
from invokeai_py_client.workflow.inputs import WorkflowInput, shown_inputs
from invokeai_py_client.workflow.seeds import seed_inputs
from invokeai_py_client.workflow.templates import NodeTemplates


class FormOf:
    """What a workflow handle says of its form."""

    def __init__(self, document: Mapping[str, Any], templates: NodeTemplates) -> None:
        self.definition = WorkflowDefinition.from_dict(document, source="tiger.json")
        self._fields = WorkflowFields(self.definition, templates)
        self.inputs = shown_inputs(self.definition, templates, self._fields)

    def seed_inputs(self) -> list[WorkflowInput]:
        return seed_inputs(self.definition, self._fields, self.inputs)


def loaded(text: str, name: str = "generated_module") -> Any:
    """Execute the text of a module."""
    module = types.ModuleType(name)
    module.__file__ = f"/modules/{name}.py"
    # Where dataclasses look for the names of annotations.
    sys.modules[name] = module
    try:
        exec(compile(text, module.__file__, "exec"), module.__dict__)
    finally:
        del sys.modules[name]
    return module
