"""The server's responses as typed objects that also read as mappings.

The fields are those that the client itself relies on, named as the server names them; whatever else a server sends
is kept (`record["device"]`). The source is the server's own OpenAPI document.

A module of this package is imported when it is first used as `records.queue`: submitting and following a run needs no
record, and importing pydantic takes longer than the rest of the client.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invokeai_py_client.wire.records import app as app
    from invokeai_py_client.wire.records import boards as boards
    from invokeai_py_client.wire.records import images as images
    from invokeai_py_client.wire.records import models as models
    from invokeai_py_client.wire.records import queue as queue
    from invokeai_py_client.wire.records import users as users
    from invokeai_py_client.wire.records import workflows as workflows

_MODULES = frozenset({"app", "boards", "images", "models", "queue", "users", "workflows"})


def __getattr__(name: str) -> ModuleType:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")
