"""aiohttp's errors as ours: which kind, what they say, and what they must not show."""

from __future__ import annotations

import errno
import socket
import ssl
import traceback
from typing import Any, NamedTuple

import aiohttp
import pytest
import yarl
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy

from invokeai_py_client.errors import RedirectedError, RequestTimeout, TransportError
from invokeai_py_client.transport.connection_errors import chain, failure, reason, timed_out
from invokeai_py_client.transport.redirects import LedElsewhere

WORD = "".join(["S3", "CRET"])
SHOWN = "http://studio.example/api/v1/x"
PROXY = yarl.URL("http://127.0.0.1:9")

KEY = ConnectionKey("studio.example", 443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None)
INFO = RequestInfo(
    yarl.URL(f"{SHOWN}?token={WORD}"), "GET", CIMultiDictProxy(CIMultiDict({"Authorization": WORD})), yarl.URL(SHOWN)
)

REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
RESET = ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
BAD_CERTIFICATE = ssl.SSLCertVerificationError(1, "certificate verify failed")
NOT_TLS = ssl.SSLError(1, "wrong version number")


def proxy_error(status: int, message: str) -> aiohttp.ClientHttpProxyError:
    return aiohttp.ClientHttpProxyError(INFO, (), status=status, message=message)


class Case(NamedTuple):
    raised: Exception
    proxy: object
    says: str
    hint: str


NOT_SENT = {
    "refused": Case(aiohttp.ClientConnectorError(KEY, REFUSED), None, "server (Connection refused)", "is running"),
    "unknown host": Case(
        aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-2, "Name or service not known")),
        None,
        "server (Name or service not known)",
        "is running",
    ),
    "took too long": Case(aiohttp.ConnectionTimeoutError(WORD), None, "server (it took too long)", "is running"),
    "certificate": Case(
        aiohttp.ClientConnectorCertificateError(KEY, BAD_CERTIFICATE), None, "certificate verify failed", "verify=False"
    ),
    "certificate as an error of the system": Case(
        aiohttp.ClientConnectorSSLError(KEY, BAD_CERTIFICATE), None, "certificate verify failed", "verify=False"
    ),
    "a certificate through a proxy": Case(
        aiohttp.ClientConnectorCertificateError(KEY, BAD_CERTIFICATE),
        PROXY,
        f"server through the proxy {PROXY}",
        "ca.pem",
    ),
    "not TLS": Case(aiohttp.ClientConnectorSSLError(KEY, NOT_TLS), None, "wrong version number", "http://"),
    "no proxy there": Case(
        aiohttp.ClientProxyConnectionError(KEY, REFUSED),
        PROXY,
        f"to the proxy {PROXY} (Connection refused)",
        'proxy=""',
    ),
    "the proxy refused": Case(
        proxy_error(407, "Proxy Authentication Required"),
        PROXY,
        f"to the server through the proxy {PROXY} (the proxy returned 407 Proxy Authentication Required)",
        'proxy=""',
    ),
    "behind the proxy": Case(
        aiohttp.ConnectionTimeoutError(WORD), PROXY, f"to the server through the proxy {PROXY} (it took", 'proxy=""'
    ),
}


@pytest.mark.parametrize("case", NOT_SENT.values(), ids=NOT_SENT)
def test_without_a_connection_nothing_was_sent(case: Case) -> None:
    error = failure("POST", SHOWN, case.raised, 9.0, proxy=case.proxy)
    assert type(error) is TransportError
    assert error.sent is False
    assert not error.may_have_been_applied
    assert error.is_transient
    assert (error.url, error.method) == (SHOWN, "POST")
    assert str(error).startswith(f"POST {SHOWN}: no connection to ")
    assert case.says in str(error)
    assert case.hint in error.hint


LOST = {
    "reset": (aiohttp.ClientOSError(errno.ECONNRESET, "Connection reset by peer"), "Connection reset by peer"),
    "hung up": (aiohttp.ServerDisconnectedError(), "Server disconnected"),
    "half a body": (aiohttp.ClientPayloadError("half a body"), "half a body"),
    "of the system": (RESET, "Connection reset by peer"),
    "no words": (aiohttp.ClientError(), "ClientError"),
    "no HTTP": (aiohttp.ClientResponseError(INFO, (), status=400, message="Bad status line"), "(400 Bad status line)"),
}


@pytest.mark.parametrize(("raised", "says"), LOST.values(), ids=LOST)
def test_a_connection_that_broke_may_have_carried_the_request(raised: Exception, says: str) -> None:
    for proxy in (None, PROXY):
        error = failure("GET", SHOWN, raised, 9.0, proxy=proxy)
        assert type(error) is TransportError
        assert error.sent is True
        assert error.may_have_been_applied
        assert (error.url, error.method) == (SHOWN, "GET")
        assert str(error).startswith(f"GET {SHOWN}: ")
        assert says in str(error)
        assert error.hint


@pytest.mark.parametrize("raised", [TimeoutError(), aiohttp.ServerTimeoutError(WORD)])
def test_no_response_in_time_is_a_timeout(raised: Exception) -> None:
    for error in (failure("GET", SHOWN, raised, 0.25), timed_out("GET", SHOWN, 0.25)):
        assert type(error) is RequestTimeout
        assert (error.url, error.method, error.timeout) == (SHOWN, "GET", 0.25)
        assert str(error).startswith(f"GET {SHOWN} ")
        assert "0.25 s" in str(error)
        assert "`timeout`" in error.hint
        assert WORD not in str(error)


@pytest.mark.parametrize(
    ("raised", "target", "says"),
    [
        (LedElsewhere(yarl.URL(f"http://other.example/y?t={WORD}")), "http://other.example/y", "another server"),
        (aiohttp.TooManyRedirects(INFO, ()), None, "too many"),
        (aiohttp.InvalidURL(f"http://[?t={WORD}"), None, "not a valid URL"),
    ],
)
def test_a_redirect_that_is_not_followed_is_an_error_of_its_own(
    raised: Exception, target: str | None, says: str
) -> None:
    error = failure("GET", SHOWN, raised, 9.0)
    assert type(error) is RedirectedError
    assert (error.url, error.method, error.target) == (SHOWN, "GET", target)
    assert says in str(error)
    assert error.__cause__ is None


def raised_with_a_secret(error: Exception) -> Exception:
    """Raise and catch an error, so that frames with a secret are in its traceback and its context."""
    headers = {"Authorization": WORD}
    try:
        try:
            raise ValueError(WORD)
        except ValueError as context:
            raise error from context
    except Exception as caught:
        assert headers
        return caught


SECRETS: list[tuple[Exception, BaseException | None]] = [
    (aiohttp.ClientConnectorError(KEY, REFUSED), REFUSED),
    (aiohttp.ClientConnectorSSLError(KEY, NOT_TLS), NOT_TLS),
    (aiohttp.ClientConnectorDNSError(KEY, unknown := socket.gaierror(-2, "Name or service not known")), unknown),
    (RESET, RESET),
    (aiohttp.ClientOSError(errno.ECONNRESET, WORD), None),
    (aiohttp.ServerDisconnectedError(), None),
    (aiohttp.ClientPayloadError(WORD), None),
    (aiohttp.ClientResponseError(INFO, (), status=400, message="Bad"), None),
    (proxy_error(502, "Bad Gateway"), None),
]


@pytest.mark.parametrize(("raised", "cause"), SECRETS)
def test_the_cause_is_the_system_s_error_without_frames(raised: Exception, cause: BaseException | None) -> None:
    if cause is not None:
        raised_with_a_secret(cause if isinstance(cause, Exception) else raised)
    error = failure("GET", SHOWN, raised_with_a_secret(raised), 9.0)
    assert error.__cause__ is cause
    assert error.__context__ is None
    if cause is not None:
        assert (cause.__cause__, cause.__context__, cause.__traceback__) == (None, None, None)
        lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        assert WORD not in "".join(lines)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (proxy_error(502, "Bad Gateway"), "the proxy returned 502 Bad Gateway"),
        (aiohttp.WSServerHandshakeError(INFO, (), status=403, message="Forbidden"), "403 Forbidden"),
        (aiohttp.ConnectionTimeoutError(f"to {WORD}"), "it took too long"),
        (aiohttp.ClientConnectorError(KEY, REFUSED), "Connection refused"),
        (aiohttp.ClientConnectorError(KEY, OSError("no number")), "no number"),
        (REFUSED, "Connection refused"),
        (ValueError("odd"), "odd"),
        (TimeoutError(), "TimeoutError"),
        (aiohttp.ClientConnectorError(KEY, TimeoutError()), "TimeoutError"),
    ],
)
def test_a_reason_is_what_the_innermost_error_says(error: Exception, words: str) -> None:
    assert reason(error) == words


def linked(**links: BaseException | None) -> ValueError:
    error = ValueError()
    error.__cause__, error.__context__ = links.get("cause"), links.get("context")
    return error


def test_a_chain_follows_causes_and_else_contexts() -> None:
    last = KeyError()
    middle = linked(context=last)
    cases: list[tuple[Any, list[Any]]] = [
        (None, []),
        (last, [last]),
        (first := linked(cause=middle, context=IndexError()), [first, middle, last]),
    ]
    for error, found in cases:
        assert list(chain(error)) == found
