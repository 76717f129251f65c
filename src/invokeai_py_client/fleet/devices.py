"""The devices that a server generates on."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

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


class Devices(NamedTuple):
    """The devices that a server generates on. It runs one queue item at a time on each.

    Attributes:
        names: their names by their ids; empty if the server does not report them.
        are_certain: False if the server may use only some of them, which it tells administrators only.
    """

    names: dict[str, str]
    are_certain: bool


async def devices_in_use(http: Sender) -> Devices:
    """Return the devices that a server generates on.

    Raises:
        InvokeAIError: a request failed.
    """
    names = {one.device: one.name for one in await if_told(http, app.list_generation_devices()) or ()}
    settings = await if_told(http, app.get_config())
    if settings is None:
        return Devices(names, are_certain=len(names) < 2)
    chosen, pinned = settings.config.get("generation_devices"), settings.config.get("device")
    if isinstance(chosen, list):
        names = {str(device): names.get(device, str(device)) for device in chosen}
    elif isinstance(pinned, str) and pinned != "auto":
        names = {pinned: names.get(pinned, pinned)}
    return Devices(names, are_certain=True)
