"""Requests the version of a server."""

from __future__ import annotations

import dataclasses

from invokeai_py_client.errors import ApiError, NotInvokeAIError
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.calls import app


async def server_version(http: Sender, *, retries: int | None = None) -> str:
    """Return the server's version, such as `6.14.2`.

    Args:
        http: sends the request.
        retries: the maximum number of retries; None for the client's setting.

    Raises:
        NotInvokeAIError: the server is not an InvokeAI server.
        InvokeAIError: the request failed.
    """
    call = dataclasses.replace(app.get_version(), retries=retries)
    try:
        return await http.send(call)
    except ApiError as error:
        if error.status >= 400 and error.status not in {404, 405}:
            # A server that is starting, or a proxy in front of it, with its own explanation.
            raise
        raise NotInvokeAIError(
            f"{error.url} did not return a version, so this is not an InvokeAI server.",
            url=error.url,
            method=call.method,
            hint="Check the address, and the sub-path if the server has one.",
        ) from error
