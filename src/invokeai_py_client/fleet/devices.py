"""The devices that a server generates on."""

from __future__ import annotations

from typing import TypeVar

from invokeai_py_client.errors import ForbiddenError, InvokeAIError
from invokeai_py_client.live.queue_reads import lacks_route
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.call import Call
from invokeai_py_client.wire.calls import app

T = TypeVar("T")


async def if_told(http: Sender, call: Call[T]) -> T | None:
    """Send a request that only administrators may send, or only newer servers know; return None if it is not answered.

    Raises:
        InvokeAIError: the request failed for another reason.
    """
    try:
        return await http.send(call)
    except ForbiddenError:
        return None
    except InvokeAIError as error:
        if not lacks_route(error):
            raise
        return None


async def devices_in_use(http: Sender) -> dict[str, str]:
    """Return the ids and names of the devices that a server generates on; none if it does not report them.

    A server runs one queue item at a time on each device.

    Raises:
        InvokeAIError: a request failed.
    """
    names = {one.device: one.name for one in await if_told(http, app.list_generation_devices()) or ()}
    settings = await if_told(http, app.get_config())
    if settings is None:
        return names
    chosen, pinned = settings.config.get("generation_devices"), settings.config.get("device")
    if isinstance(chosen, list):
        return {str(device): names.get(device, str(device)) for device in chosen}
    if isinstance(pinned, str) and pinned != "auto":
        return {pinned: names.get(pinned, pinned)}
    return names
