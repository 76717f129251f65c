"""Keeps what is sent to one server from being sent to another one by a redirect."""

from __future__ import annotations

import contextlib

import aiohttp
import yarl

from invokeai_py_client.errors import RedirectedError

MAX_REDIRECTS = 6
"""As aiohttp counts: the sixth one in a row is not followed any more."""

_SECURE = {"http": False, "ws": False, "https": True, "wss": True}


class LedElsewhere(Exception):
    """A redirect leads away from the server: to `target`. No error of ours, as aiohttp would wrap it in its own."""

    def __init__(self, target: yarl.URL) -> None:
        super().__init__("redirected to another server")
        self.target = target


def staying_at(url: str) -> aiohttp.ClientMiddlewareType:
    """A middleware of a session that sends requests, its websockets' among them, to one origin only.

    Args:
        url: of that origin: its scheme, host and port.
    """
    home = yarl.URL(url)
    origin = (_SECURE[home.scheme], home.raw_host, home.port)

    def is_elsewhere(goal: yarl.URL) -> bool:
        return (_SECURE.get(goal.scheme), goal.raw_host, goal.port) != origin

    async def stay(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        # aiohttp calls it with each hop.
        if is_elsewhere(request.url):
            raise LedElsewhere(request.url)
        answer = await handler(request)
        if 300 < answer.status < 400 and (location := answer.headers.get("Location")) is not None:
            # Told already here: of a body that cannot be sent again aiohttp would say that first.
            with contextlib.suppress(ValueError):  # aiohttp tells of an address that is none
                goal = request.url.join(yarl.URL(location))
                if is_elsewhere(goal):
                    answer.close()
                    raise LedElsewhere(goal)
        return answer

    return stay


def redirected(method: str, shown: str, target: object, why: str) -> RedirectedError:
    """The error for a redirect that is not followed.

    Args:
        method: of the request.
        shown: its URL, as it may be seen.
        target: where it was redirected to, if that is known; its query is not told, as it may repeat the request's.
        why: why it is not followed, to follow "and".
    """
    place = None
    if target is not None:
        with contextlib.suppress(ValueError):  # it is no address
            goal = yarl.URL(str(target)).with_query(None).with_fragment(None)
            place = str(goal.with_user(None) if goal.absolute else goal)
    return RedirectedError(
        f"{method} {shown} was redirected{'' if place is None else f' to {place}'}, and {why}.",
        url=shown,
        method=method,
        target=place,
        hint="Give the address that the server redirects to, if you trust it.",
    )
