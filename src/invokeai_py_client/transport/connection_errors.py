"""Translate aiohttp errors to ours without leaking URLs, headers or credentials.

aiohttp's errors quote whole URLs and headers, which may contain a token, a query or the password of a proxy.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import aiohttp

from invokeai_py_client.errors import RequestTimeout, TransportError
from invokeai_py_client.transport.redirects import LedElsewhere, redirected

NO_CONNECTION = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
"""Errors that aiohttp raises before anything was sent."""


class SocketFailure(Exception):
    """A handshake failed, or the connection of the socket was lost."""


class HandshakeRefused(Exception):
    """The server did not accept the token of the socket's handshake."""


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, then its cause or context, then the cause or context of that, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def failure(
    method: str, shown: str, error: Exception, limit: float, *, proxy: object = None
) -> TransportError | RequestTimeout:
    """Return the error for a request without a complete response, with its cause set.

    Args:
        method: the HTTP method of the request.
        shown: the URL of the request as errors may show it.
        error: the error that was raised.
        limit: the timeout of the request in seconds.
        proxy: the address of the proxy without a login; None if the request did not go through one.
    """
    made = _failure(method, shown, error, limit, proxy)
    made.__cause__ = _harmless(error)
    return made


def timed_out(method: str, shown: str, limit: float) -> RequestTimeout:
    """Return the error for a request without a response within `limit` seconds."""
    return RequestTimeout(
        f"{method} {shown} got no response within {limit:g} s.",
        url=shown,
        method=method,
        timeout=limit,
        hint="Pass a longer `timeout` if the server is only slow.",
    )


def reason(error: BaseException) -> str:
    """Return what an error says, without URLs and headers."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy returned {error.status} {error.message}"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{error.status} {error.message}"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "it took too long"
    # aiohttp wraps the error of the operating system. Some versions do not for a bad certificate.
    inner = getattr(error, "os_error", error)
    return getattr(inner, "strerror", None) or str(inner) or type(inner).__name__


def _failure(method: str, shown: str, error: Exception, limit: float, proxy: object) -> TransportError | RequestTimeout:
    if isinstance(error, LedElsewhere):
        return redirected(method, shown, error.target, "the client does not send anything to another server")
    if isinstance(error, aiohttp.TooManyRedirects):
        return redirected(method, shown, None, "there were too many redirects")
    if isinstance(error, aiohttp.InvalidURL):
        return redirected(method, shown, None, "the target of the redirect is not a valid URL")
    if isinstance(error, NO_CONNECTION):
        return TransportError(
            f"{method} {shown}: no connection to {_the_other_end(error, proxy)} ({reason(error)}).",
            url=shown,
            method=method,
            sent=False,
            proxy=None if proxy is None else str(proxy),
            hint=_connection_hint(error, proxy),
        )
    if isinstance(error, TimeoutError):
        return timed_out(method, shown, limit)
    return TransportError(
        f"{method} {shown}: the connection broke before the response was complete ({reason(error)}).",
        url=shown,
        method=method,
        hint="The server may have been stopped or restarted. Check its log.",
    )


def _the_other_end(error: Exception, proxy: object) -> str:
    if proxy is None:
        return "the server"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"the proxy {proxy}"
    return f"the server through the proxy {proxy}"


def _connection_hint(error: Exception, proxy: object) -> str:
    inner = getattr(error, "os_error", error)
    if isinstance(inner, ssl.SSLCertVerificationError) or isinstance(error, aiohttp.ClientConnectorCertificateError):
        return (
            "If the certificate is from your own authority, pass verify='/path/of/the/ca.pem'. verify=False disables "
            "the check."
        )
    if isinstance(inner, ssl.SSLError):
        return "Check that the server uses TLS on this port. If it does not, use a URL with http://. See also `verify`."
    if proxy is not None:
        return (
            'Check the address of the proxy. Pass proxy="", or add the server to NO_PROXY, to connect without a proxy.'
        )
    return "Check that the server is running, and that this is its address."


def _harmless(error: Exception) -> BaseException | None:
    """Return the underlying error of the operating system without its traceback, whose frames hold headers.

    Return None if there is no such error.
    """
    inner: BaseException = getattr(error, "os_error", error)
    if not isinstance(inner, OSError) or type(inner).__module__ not in {"builtins", "socket", "ssl"}:
        return None
    inner.__cause__ = inner.__context__ = None
    return inner.with_traceback(None)
