"""What went wrong on the way, as an error of ours, in words that give nothing away.

aiohttp's own errors quote whole URLs and headers, with whatever proxy's password, token or query is in them.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import aiohttp

from invokeai_py_client.errors import RequestTimeout, TransportError
from invokeai_py_client.transport.redirects import LedElsewhere, redirected

NO_CONNECTION = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
"""Raised before anything was sent."""


class SocketFailure(Exception):
    """What the Socket.IO library raised, which is its cause: a handshake failed, or the connection is lost."""


class HandshakeRefused(Exception):
    """The server does not accept the token of the socket's handshake."""


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and what it was raised from or while handling."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def failure(
    method: str, shown: str, error: Exception, limit: float, *, proxy: object = None
) -> TransportError | RequestTimeout:
    """The error for a request that got no whole answer; its cause is set.

    Args:
        method: of the request.
        shown: its URL, as it may be seen.
        error: what was raised.
        limit: the seconds that it was given.
        proxy: the address of the proxy that it went through, without a login; None if it went through none.
    """
    made = _failure(method, shown, error, limit, proxy)
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


def _failure(method: str, shown: str, error: Exception, limit: float, proxy: object) -> TransportError | RequestTimeout:
    if isinstance(error, LedElsewhere):
        return redirected(method, shown, error.target, "nothing is sent to another server")
    if isinstance(error, aiohttp.TooManyRedirects):
        return redirected(method, shown, None, "again and again, so that it was given up")
    if isinstance(error, aiohttp.InvalidURL):
        return redirected(method, shown, None, "what it was redirected to is no address")
    if isinstance(error, NO_CONNECTION):
        return TransportError(
            f"{method} {shown}: no connection to {_the_other_end(error, proxy)} ({reason(error)}).",
            url=shown,
            method=method,
            sent=False,
            hint=_connection_hint(error, proxy),
        )
    if isinstance(error, TimeoutError):
        return timed_out(method, shown, limit)
    return TransportError(
        f"{method} {shown}: the connection broke before the answer was whole ({reason(error)}).",
        url=shown,
        method=method,
        hint="The server may have been stopped or restarted; its log tells.",
    )


def _the_other_end(error: Exception, proxy: object) -> str:
    if proxy is None:
        return "the server"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"the proxy {proxy}"
    return f"the server through the proxy {proxy}"


def _connection_hint(error: Exception, proxy: object) -> str:
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    if isinstance(inner, ssl.SSLCertVerificationError) or isinstance(error, aiohttp.ClientConnectorCertificateError):
        return (
            "If its certificate is of an authority of your own, pass verify='/path/of/the/ca.pem'. verify=False checks "
            "no certificate at all."
        )
    if isinstance(inner, ssl.SSLError):
        return "Does it speak TLS at this port? If not, its address begins with http://. See also verify."
    if proxy is not None:
        return 'Is that the right proxy? proxy="" goes without one, and so do the servers in NO_PROXY.'
    return "Is it running, and is this its address?"


def _harmless(error: Exception) -> BaseException | None:
    """Return the operating system's error, if that is what it was, without a traceback: its frames hold headers."""
    inner: BaseException = getattr(error, "os_error", error)
    if not isinstance(inner, OSError) or type(inner).__module__ not in {"builtins", "socket", "ssl"}:
        return None
    inner.__cause__ = inner.__context__ = None
    return inner.with_traceback(None)
