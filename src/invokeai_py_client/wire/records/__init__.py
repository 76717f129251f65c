"""The server's responses as typed objects that also read as mappings.

The fields are those that the client uses, with the server's names. Other keys that a server sends are kept
(`record["device"]`). The source is the server's OpenAPI document.

A module is imported at its first use, such as `records.queue`, because importing pydantic takes longer than a request.
Submitting and following a run does not need any records.
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
