"""The server's responses as typed objects that also read as mappings.

The fields are those that the client itself relies on, named as the server names them; whatever else a server sends
is kept (`record["device"]`). The source is the server's own OpenAPI document.

A module is imported when it is first used as `records.queue`, say: submitting and following a run needs none, and
importing pydantic takes longer than a request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invokeai_py_client.wire.records import app as app
    from invokeai_py_client.wire.records import boards as boards
    from invokeai_py_client.wire.records import images as images
    from invokeai_py_client.wire.records import models as models
    from invokeai_py_client.wire.records import queue as queue
    from invokeai_py_client.wire.records import users as users
    from invokeai_py_client.wire.records import workflows as workflows
else:
    from invokeai_py_client.lazy_modules import imported_on_first_use

    __getattr__ = imported_on_first_use(__name__)
