"""Modules that scripts for `invokeai-py-client` 1.1 import.

This folder is a part of the package's import path, so `earlier/board.py` is imported as `invokeai_py_client.board`, and
`earlier/workflow/workflow_handle.py` as `invokeai_py_client.workflow.workflow_handle`. The modules contain this
client's classes under their names in 1.1, and raise errors with the replacement for names that are gone. They are not a
part of the documented interface: new programs import from `invokeai_py_client`.
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
    """Return the object that 1.1 had under a name in `invokeai_py_client` itself.

    Raises:
        AttributeError: 1.1 did not have the name.
        ImportError: 1.1 had the name, but this client does not; the message says what to use.
    """
    if name not in _AT_THE_ROOT:
        raise AttributeError(f"module 'invokeai_py_client' has no attribute {name!r}")
    found: object = getattr(importlib.import_module(f"invokeai_py_client.{_AT_THE_ROOT[name]}"), name)
    return found


def with_submodules(module: str, *submodules: str) -> None:
    """Make the names of a module importable from submodules, as 1.1 had packages instead of these modules.

    Args:
        module: the module's `__name__`.
        submodules: the names of the submodules in 1.1.
    """
    for name in submodules:
        sys.modules[f"{module}.{name}"] = sys.modules[module]


def without(module: str, instead: Mapping[str, str]) -> Callable[[str], object]:
    """Return a module's `__getattr__` that raises an error with the replacement for each name that is gone.

    Args:
        module: the module's `__name__`.
        instead: a sentence for each name.
    """

    def get(name: str) -> object:
        if name in instead:
            raise ImportError(f"cannot import name {name!r} from {module!r}. {instead[name]}", name=module)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return get
