"""What went wrong on the way, as an error of ours, in words that give nothing away.

aiohttp's own errors quote whole URLs and headers, with whatever proxy's password, token or query is in them.
"""

from __future__ import annotations

import aiohttp

from invokeai_py_client.errors import RequestTimeout, TransportError
from invokeai_py_client.transport.redirects import LedElsewhere, redirected

NO_CONNECTION = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
"""Raised before anything was sent."""


def failure(method: str, shown: str, error: Exception, limit: float) -> TransportError | RequestTimeout:
    """The error for a request that got no whole answer; its cause is set.

    Args:
        method: of the request.
        shown: its URL, as it may be seen.
        error: what was raised.
        limit: the seconds that it was given.
    """
    made = _failure(method, shown, error, limit)
    made.__cause__ = _harmless(error)
    return made


def timed_out(method: str, shown: str, limit: float) -> RequestTimeout:
    """The error for a request that got no answer within `limit` seconds."""
    return RequestTimeout(
        f"{method} {shown} got no answer within {limit:g} s.",
        url=shown,
        method=method,
        timeout=limit,
        hint="Give a longer `timeout` if the server is just slow.",
    )


def reason(error: BaseException) -> str:
    """What an error says, without URLs and headers."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy answered {error.status} {error.message}"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{error.status} {error.message}"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "it took too long"
    # aiohttp wraps the operating system's error, but for a bad certificate some versions lack it.
    inner = getattr(error, "os_error", error)
    return getattr(inner, "strerror", None) or str(inner) or type(inner).__name__


def _failure(method: str, shown: str, error: Exception, limit: float) -> TransportError | RequestTimeout:
    if isinstance(error, LedElsewhere):
        return redirected(method, shown, error.target, "nothing is sent to another server")
    if isinstance(error, aiohttp.TooManyRedirects):
        return redirected(method, shown, None, "again and again, so that it was given up")
    if isinstance(error, aiohttp.InvalidURL):
        return redirected(method, shown, None, "what it was redirected to is no address")
    if isinstance(error, NO_CONNECTION):
        return TransportError(
            f"{method} {shown}: no connection to the server ({reason(error)}).",
            url=shown,
            method=method,
            sent=False,
            hint="Is it running, and is this its address?",
        )
    if isinstance(error, TimeoutError):
        return timed_out(method, shown, limit)
    return TransportError(
        f"{method} {shown}: the connection broke before the answer was whole ({reason(error)}).",
        url=shown,
        method=method,
        hint="The server may have been stopped or restarted; its log tells.",
    )


def _harmless(error: Exception) -> BaseException | None:
    """The operating system's error, if that is what it was."""
    inner: BaseException = getattr(error, "os_error", error)
    return inner if isinstance(inner, OSError) and type(inner).__module__ in {"builtins", "socket", "ssl"} else None
