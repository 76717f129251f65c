"""Workflow documents, their inputs, and the graphs that run them; no I/O beyond reading and writing files."""

from __future__ import annotations

import importlib

# Scripts of client 1.1 import modules of `earlier/workflow`, and the names below, from here.
__path__.append(f"{__path__[0]}/../earlier/workflow")

_EARLIER = {
    "IvkWorkflowInput": "workflow_handle",
    "IvkWorkflowOutput": "workflow_handle",
    "OutputMapping": "workflow_handle",
    "WorkflowDefinition": "workflow_model",
    "WorkflowHandle": "workflow_handle",
    "WorkflowRepository": "workflow_repo",
}


def __getattr__(name: str) -> object:
    if name not in _EARLIER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"{__name__}.{_EARLIER[name]}"), name)
    return found
