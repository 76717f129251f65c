"""The server's routes, one module per noun. Each function returns a `Call`, without side effects.

Modules that use many routes in rare cases access them as `calls.models`, for example, which imports a module when it is
first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invokeai_py_client.wire.calls import app as app
    from invokeai_py_client.wire.calls import auth as auth
    from invokeai_py_client.wire.calls import boards as boards
    from invokeai_py_client.wire.calls import images as images
    from invokeai_py_client.wire.calls import models as models
    from invokeai_py_client.wire.calls import queue as queue
    from invokeai_py_client.wire.calls import style_presets as style_presets
    from invokeai_py_client.wire.calls import utilities as utilities
    from invokeai_py_client.wire.calls import videos as videos
    from invokeai_py_client.wire.calls import workflows as workflows
else:
    from invokeai_py_client.lazy_modules import imported_on_first_use

    __getattr__ = imported_on_first_use(__name__)
