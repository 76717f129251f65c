"""Modules from which scripts that were written for `invokeai-py-client` 1.1 import.

This folder is a part of the package's import path, so `earlier/board.py` is imported as `invokeai_py_client.board`, and
`earlier/workflow/workflow_handle.py` as `invokeai_py_client.workflow.workflow_handle`. The modules give this client's
classes the names of 1.1, and say what to use for names that have no counterpart. They are not a part of the documented
interface: new programs import from `invokeai_py_client`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping

_AT_THE_ROOT = {
    "BaseModelEnum": "models",
    "BoardHandle": "board",
    "BoardRepository": "board",
    "ImageCategory": "models",
    "IvkDnnModel": "models",
    "IvkImage": "models",
    "IvkJob": "models",
    "JobStatus": "models",
    "QuickClient": "quick",
    "SessionEvent": "models",
    "WorkflowRepository": "workflow.workflow_repo",
}


def name_at_the_root(name: str) -> object:
    """Return what 1.1 had under a name in `invokeai_py_client` itself.

    Raises:
        AttributeError: it had no such name.
        ImportError: it had, but there is no counterpart; the message says what to use.
    """
    if name not in _AT_THE_ROOT:
        raise AttributeError(f"module 'invokeai_py_client' has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"invokeai_py_client.{_AT_THE_ROOT[name]}"), name)
    return found


def with_submodules(module: str, *submodules: str) -> None:
    """Let the names of a module be imported from submodules, too: 1.1 had packages in place of these modules.

    Args:
        module: the module's `__name__`.
        submodules: their names in the package of 1.1.
    """
    for name in submodules:
        sys.modules[f"{module}.{name}"] = sys.modules[module]


def without(module: str, instead: Mapping[str, str]) -> Callable[[str], object]:
    """Return a module's `__getattr__` that says what to use in place of names that have no counterpart.

    Args:
        module: the module's `__name__`.
        instead: a sentence for each name.
    """

    def get(name: str) -> object:
        if name in instead:
            raise ImportError(f"cannot import name {name!r} from {module!r}. {instead[name]}", name=module)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return get
