"""Refuse redirects that lead to another server."""

from __future__ import annotations

import contextlib

import aiohttp
import yarl

from invokeai_py_client.errors import RedirectedError

MAX_REDIRECTS = 6
"""As aiohttp counts them: the sixth redirect in a row is not followed."""

_SECURE = {"http": False, "ws": False, "https": True, "wss": True}


class LedElsewhere(Exception):
    """A redirect leads to another server, `target`.

    It is not an `InvokeAIError`, because it is raised inside of aiohttp and translated with aiohttp's own errors.
    """

    def __init__(self, target: yarl.URL) -> None:
        super().__init__("redirected to another server")
        self.target = target


def staying_at(url: str) -> aiohttp.ClientMiddlewareType:
    """Return a middleware for a session that sends requests, including those of websockets, to one origin only.

    Args:
        url: a URL with the scheme, host and port of the origin.
    """
    home = yarl.URL(url)
    origin = (_SECURE[home.scheme], home.raw_host, home.port)

    def is_elsewhere(goal: yarl.URL) -> bool:
        return (_SECURE.get(goal.scheme), goal.raw_host, goal.port) != origin

    async def stay(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        # aiohttp calls the middleware again for each redirect that it follows.
        if is_elsewhere(request.url):
            raise LedElsewhere(request.url)
        answer = await handler(request)
        if 300 < answer.status < 400 and (location := answer.headers.get("Location")) is not None:
            # Checked before aiohttp follows it, which would fail first if the body cannot be sent again.
            with contextlib.suppress(ValueError):  # aiohttp reports an invalid URL
                goal = request.url.join(yarl.URL(location))
                if is_elsewhere(goal):
                    answer.close()
                    raise LedElsewhere(goal)
        return answer

    return stay


def redirected(method: str, shown: str, target: object, why: str) -> RedirectedError:
    """Return the error for a redirect that is not followed.

    Args:
        method: the HTTP method of the request.
        shown: the URL of the request as errors may show it.
        target: the target of the redirect, if it is known. Its query is left out, as it may repeat the request's.
        why: a clause that says why it is not followed.
    """
    place = None
    if target is not None:
        with contextlib.suppress(ValueError):  # it is not a valid URL
            goal = yarl.URL(str(target)).with_query(None).with_fragment(None)
            place = str(goal.with_user(None) if goal.absolute else goal)
    return RedirectedError(
        f"{method} {shown} was redirected{'' if place is None else f' to {place}'}, which was not followed: {why}.",
        url=shown,
        method=method,
        target=place,
        hint="If you trust the target, pass its address as the URL of the server.",
    )
