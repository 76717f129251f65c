"""Send a `Call` over the client's HTTP session: timeouts, retries, errors, streamed downloads."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import functools
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import aiohttp
import yarl
from multidict import CIMultiDict

from invokeai_py_client.errors import (
    AnswerTooLargeError,
    ApiError,
    AuthenticationError,
    InvokeAIError,
    NotInvokeAIError,
    RequestBodyError,
    ServerError,
)
from invokeai_py_client.runtime.engine import Engine, LoopWatch, closed
from invokeai_py_client.runtime.single_flight import SingleFlight
from invokeai_py_client.secret import HiddenBytes, Secret
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.backoff import retry_delay
from invokeai_py_client.transport.bodies import (
    NO_FILES,
    Downloaded,
    FileError,
    OpenFile,
    OpenFiles,
    Sink,
    as_form,
    read_body,
    stream_body,
    what_was_sent,
)
from invokeai_py_client.transport.connection_errors import failure, timed_out
from invokeai_py_client.transport.credentials import Credentials
from invokeai_py_client.transport.error_responses import error_for, is_of_any_server, not_invokeai, unknown_shape
from invokeai_py_client.transport.plaintext_warning import PlaintextWarning
from invokeai_py_client.transport.redirects import MAX_REDIRECTS, LedElsewhere, redirected, staying_at
from invokeai_py_client.transport.single_attempt import REPEATED, HungUp, LastAfterError, sent_once
from invokeai_py_client.wire.call import Call, Query, Response, Scalar, json_of
from invokeai_py_client.wire.calls import app, queue

if TYPE_CHECKING:
    from invokeai_py_client.wire.records.users import LoginResult, UserRecord

T = TypeVar("T")

logger = logging.getLogger("invokeai_py_client.http")

_SLOWEST_UPLOAD = 64 * 1024
"""Bytes per second. A request with an upload gets the time that the upload takes at this rate as additional time."""

_SHORTEST = 0.001
"""Seconds; the minimum timeout of an attempt."""

KEPT_OPEN = 2.0
"""Seconds that an idle connection is kept open. The server closes idle connections after 5 s, which must not happen to
a new request: after an enqueue on a closed connection, the client does not know for seconds whether it was stored. The
difference allows for latency."""

_LOOK = 5.0
"""Seconds; the timeout of the request that finds out whether the server is InvokeAI."""


class _Attempts:
    """State that the attempts of one call share: the remaining time, and whether an earlier one may have been applied.

    Args:
        seconds: the timeout of the whole call.
        is_streamed: whether the timeout applies to each pause in the response and to each delay instead.
    """

    def __init__(self, seconds: float, *, is_streamed: bool = False) -> None:
        self.seconds = seconds
        self.is_streamed = is_streamed
        self.may_have_been_applied = False
        self.deadline = _now() + seconds
        self._extra = 0.0

    @property
    def left(self) -> float:
        """Seconds left for the next attempt, or for the delay before it."""
        return self.seconds if self.is_streamed else max(0.0, self.deadline - _now())

    def allow(self, seconds: float) -> None:
        """Add time for an upload. Repeating the upload in a later attempt adds no more."""
        self.deadline += max(0.0, seconds - self._extra)
        self._extra = max(self._extra, seconds)

    def failed(self, error: InvokeAIError) -> None:
        """Record whether a failed attempt may have been applied. If an earlier one may have been, the error says so."""
        earlier, self.may_have_been_applied = (
            self.may_have_been_applied,
            self.may_have_been_applied or error.may_have_been_applied,
        )
        if earlier:
            error.may_have_been_applied = True


class HttpTransport:
    """The HTTP connection of a client. All coroutines run on the engine.

    Args:
        settings: the settings with the URL, the timeouts and the credentials.
        engine: the engine on whose loop the session lives.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings = settings
        self._engine = engine
        self._session: aiohttp.ClientSession | None = None
        self._loop = LoopWatch(engine)
        self.credentials = Credentials(settings, engine)
        self._proxy, self.proxy_headers = _proxy(settings)
        self._middlewares = (staying_at(settings.url),)
        self._plaintext_warning = PlaintextWarning(settings)
        self.answers: Counter[tuple[str, str]] = Counter()
        self.on_exchange: list[Callable[[Call[Any], Response | None], None]] = []
        """Functions that are called after each exchange with the call and its response, which is None if it failed."""
        self._is_invokeai: SingleFlight[bool] = SingleFlight(engine)

    def session(self) -> aiohttp.ClientSession:
        """Return the session of this process and loop, made when it is first needed.

        Raises:
            ClientClosedError: the engine is closing, and has closed the session.
        """
        if self._loop.has_changed() or self._session is None:
            # After a fork, the old session belongs to the parent. It is dropped without being closed.
            headers = {"Accept": "application/json, */*;q=0.5"}
            if self.proxy_headers is not None and self.settings.url.startswith("http:"):
                # aiohttp sends them with CONNECT only, which a proxy gets for a server with TLS.
                headers |= self.proxy_headers
            session = self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self.settings.ssl_context(), limit=100, keepalive_timeout=KEPT_OPEN),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=headers,
                proxy=self._proxy,
                middlewares=self._middlewares,
                response_class=LastAfterError,
            )
            self._engine.on_close(session.close)
        if self._session.closed:
            raise closed()
        return self._session

    async def send(self, call: Call[T]) -> T:
        """Send a call and parse its response.

        Args:
            call: the call. After a transient failure it is retried if it is idempotent, or was certainly not carried
                out. All attempts and the delays between them stay within its timeout.

        Returns:
            The result of the call's `parse`.

        Raises:
            TransportError: the server cannot be reached, or the connection broke.
            RequestTimeout: there was no response in time.
            ApiError: the server returned an error; the class depends on the status. `ServerError` also for a response
                of an unexpected shape.
        """
        deadline = _now() + self._seconds(call)
        try:
            response = await self.fetch(call)
        except ApiError as error:
            if is_of_any_server(error):
                await self._check_server(error, deadline)
            raise
        return await self._parsed(call, response, deadline)

    async def fetch(self, call: Call[Any]) -> Response:
        """Send a call and return the response without parsing it; errors and retries as in `send`."""
        files = {
            part.name: OpenFile(part.content) for part in call.parts if not isinstance(part.content, str | bytes | Path)
        }
        attempts = _Attempts(self._seconds(call))
        return await self._with_retries(call, attempts, lambda: self._attempt(call, attempts, files=files))

    async def download(self, call: Call[Any], path: str | Path) -> Downloaded:
        """Stream the body of a response into a file. An idempotent call starts over after a transient failure.

        Args:
            call: the call.
            path: the file. It gets its name when it is complete, and replaces an existing file of that name.

        Returns:
            The size and the checksum of the file.

        Raises:
            NotInvokeAIError: the response is a web page.
            ServerError: the response is empty.
            OSError: the file cannot be written.
            InvokeAIError: as for `send`.
        """

        attempts = _Attempts(self._seconds(call), is_streamed=True)

        async def attempt() -> Downloaded:
            with Sink(path) as sink:
                await self._attempt(call, attempts, sink)
            return Downloaded(sink.size, sink.crc32)

        try:
            return await self._with_retries(call, attempts, attempt)
        except ApiError as error:
            if is_of_any_server(error):
                await self._check_server(error, attempts.deadline)
            raise

    def _seconds(self, call: Call[Any]) -> float:
        return self.settings.timeout if call.timeout is None else call.timeout

    async def _with_retries(self, call: Call[Any], attempts: _Attempts, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make an attempt, and retry after failures for which that is allowed."""
        retries = self.settings.retries if call.retries is None else call.retries
        tries = 0
        while True:
            try:
                return await attempt()
            except InvokeAIError as error:
                attempts.failed(error)
                tries += 1
                delay = retry_delay(tries, error)
                may_repeat = call.idempotent or not error.may_have_been_applied
                # A delay longer than the remaining time is not started.
                if tries > retries or not (error.is_transient and may_repeat) or delay >= attempts.left:
                    raise
                logger.debug(
                    "%s %s: retry %d of %d in %.2f s, because: %s", call.method, call.path, tries, retries, delay, error
                )
            await asyncio.sleep(delay)

    async def _attempt(
        self, call: Call[Any], attempts: _Attempts, sink: Sink | None = None, files: OpenFiles = NO_FILES
    ) -> Response:
        """Send a call with the client's token, and log in before it, or after the token was refused, if needed."""
        credentials = self.credentials
        if not call.needs_token:
            return await self._exchange(call, attempts, credentials.token, sink, files)
        if credentials.wants_login:
            await self._renew(call, attempts, None)
        token = credentials.token
        try:
            return await self._exchange(call, attempts, token, sink, files)
        except AuthenticationError:
            if not await self._renew(call, attempts, token) or credentials.token == token:
                raise
        return await self._exchange(call, attempts, credentials.token, sink, files)

    async def _renew(self, call: Call[Any], attempts: _Attempts, refused: Secret | None) -> bool:
        """Log in for a call, within the call's timeout."""
        try:
            async with asyncio.timeout(attempts.left):
                return await self.credentials.renew(refused, self._send_login)
        except TimeoutError as error:
            # Some errors of this package are a TimeoutError as well.
            late = error if isinstance(error, InvokeAIError) else timed_out(call.method, call.path, attempts.seconds)
            late.may_have_been_applied = False
            raise late from error.__cause__
        except InvokeAIError as error:
            # The login failed. The call itself was not sent, or was refused.
            error.may_have_been_applied = False
            raise

    async def _send_login(self, call: Call[LoginResult]) -> LoginResult:
        deadline = _now() + self._seconds(call)
        response = await self._exchange(call, _Attempts(self._seconds(call)), None)
        return await self._parsed(call, response, deadline)

    async def _parsed(self, call: Call[T], response: Response, deadline: float) -> T:
        """Parse a successful response. If that fails, find out before `deadline` whether the server is InvokeAI.

        Raises:
            NotInvokeAIError: the server is not an InvokeAI server.
            ServerError: the response has an unexpected shape.
        """
        shape: ServerError | None = None
        try:
            return call.parse(response)
        except ServerError as error:
            shape = error
        except InvokeAIError:
            raise
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            shape = unknown_shape(call, response, error)
        await self._check_server(shape, deadline)
        raise shape

    async def _check_server(self, error: ApiError, deadline: float) -> None:
        """Find out whether a response that any server may give is from an InvokeAI server. The result is cached.

        Nothing is raised if that cannot be found out before `deadline`; the caller then raises `error`.

        Raises:
            NotInvokeAIError: the server does not have the route for InvokeAI's version.
        """
        try:
            async with asyncio.timeout_at(deadline):
                is_invokeai = await self._is_invokeai.get(self._tells_version)
        except (InvokeAIError, TimeoutError):
            return
        if not is_invokeai:
            self._is_invokeai.forget()
            raise not_invokeai(error)

    async def _tells_version(self) -> bool:
        seconds = min(_LOOK, self.settings.timeout)
        call = app.get_version()
        try:
            response = await self._exchange(call, _Attempts(seconds), None)
            return bool(call.parse(response))
        except ApiError as error:
            if is_of_any_server(error) or error.status < 400:
                return False
            raise
        except (NotInvokeAIError, ValueError, LookupError, TypeError, RecursionError):
            return False

    async def log_in(self, email: str, password: str | Secret, *, remember_me: bool | None = None) -> UserRecord | None:
        """Log in as a user; None if the server has no users. See `Credentials.log_in`."""
        return await self.credentials.log_in(email, Secret.of(password), self._send_login, remember_me=remember_me)

    async def token(self, *, is_asked: bool) -> Secret | None:
        """Return the current token, after a login if one is needed to get it.

        Args:
            is_asked: whether a call of the user needs the token. Only such a call repeats a refused login.

        Raises:
            InvokeAIError: as for any request.
        """
        if self.credentials.wants_login:
            await self.credentials.renew(None, self._send_login, is_asked=is_asked)
        if self.credentials.token is not None:
            self._plaintext_warning.warn()
        return self.credentials.token

    async def confirm(self, token: Secret | None, *, is_asked: bool) -> None:
        """Check whether the server accepts a token that it refused for the socket, and log in if it does not.

        Args:
            token: the refused token.
            is_asked: as for `token`.

        Raises:
            AuthenticationError: the server does not accept the token, and there is no login, or the password is wrong.
            ForbiddenError: the user was deactivated.
            InvokeAIError: as for any request.
        """
        try:
            # A route that needs a token on a server with users, and that a server without users has as well.
            call = queue.get_queue_status("default")
            await self._exchange(call, _Attempts(self._seconds(call)), token)
        except AuthenticationError:
            if not await self.credentials.renew(token, self._send_login, is_asked=is_asked):
                raise

    async def _exchange(
        self,
        call: Call[Any],
        attempts: _Attempts,
        token: Secret | None,
        sink: Sink | None = None,
        files: OpenFiles = NO_FILES,
    ) -> Response:
        """Send a call once, and return its response or raise the error for its status."""
        is_authorized = bool(call.headers) and any(name.lower() == "authorization" for name in call.headers)
        if is_authorized:
            token = None
        if self._plaintext_warning.is_pending and (call.has_secrets or token is not None or is_authorized):
            self._plaintext_warning.warn()
        response = await self._round_trip(call, attempts, token, sink, files)
        renewed = response.headers.get("X-Refreshed-Token")
        if renewed and token is not None and self.credentials.token == token:
            self.credentials.adopt(renewed)
        del renewed
        if response.status_code >= 400:
            if attempts.may_have_been_applied and response.status_code in call.done_statuses:
                return dataclasses.replace(response, is_repeat=True)
            raise error_for(response, has_secrets=call.has_secrets, sent=what_was_sent(call, files))
        if response.status_code >= 300:
            location = response.headers.get("Location")
            raise redirected(call.method, response.url, location, "redirects of this request are not followed")
        if sink is not None:
            response.check_file(sink.size)
        return dataclasses.replace(response, is_repeat=True) if attempts.may_have_been_applied else response

    async def _round_trip(
        self, call: Call[Any], attempts: _Attempts, token: Secret | None, sink: Sink | None, files: OpenFiles
    ) -> Response:
        """Send a call once and return its response, with the errors of aiohttp translated to those of this package."""
        shown = self.url_of(call.path, None if call.has_secrets else call.query)
        began = time.perf_counter()
        outcome = "no answer"
        received: Response | None = None
        try:
            response = received = await self._receive(call, attempts, token, shown, sink, files)
            outcome = str(response.status_code)
        except FileError as error:
            failed: Exception = error.error
        except AnswerTooLargeError as error:
            failed = error.with_traceback(None)
        except (LedElsewhere, HungUp, aiohttp.ClientError, OSError) as error:
            unreadable = next((file.error for file in files.values() if file.error), None)
            cause = error.error if isinstance(error, HungUp) else error
            failed = unreadable or failure(call.method, shown, cause, attempts.seconds, proxy=self._proxy)
        else:
            size = len(response.content) if sink is None else sink.size
            milliseconds = (time.perf_counter() - began) * 1000
            logger.debug("%s %s: %s, %.1f ms, %d bytes", call.method, call.path, outcome, milliseconds, size)
            return response
        finally:
            self.answers[_kind(call), outcome] += 1
            for listener in self.on_exchange:
                listener(call, received)
        logger.debug("%s %s: failed after %.3f s (%s)", call.method, call.path, time.perf_counter() - began, failed)
        # Raised outside of the `except` block. Otherwise aiohttp's error would be its context, and crash reports would
        # show the headers in the frames of that traceback.
        raise failed

    async def _receive(
        self,
        call: Call[Any],
        attempts: _Attempts,
        token: Secret | None,
        shown: str,
        sink: Sink | None,
        files: OpenFiles,
    ) -> Response:
        """Send a call once. Raises aiohttp's errors; no error with a frame of this coroutine leaves this package."""
        headers = CIMultiDict(call.headers)
        if token is not None:
            headers["Authorization"] = Secret(f"Bearer {token.reveal()}").reveal()
        if call.method == "DELETE":
            # Servers with a recent Starlette fail to compress an empty response.
            headers.setdefault("Accept-Encoding", "identity")
        data: bytes | aiohttp.FormData | None = None
        if call.body is not None:
            data = json_of(call.body, f"The body of {call.method} {call.path}")
            data = HiddenBytes(data) if call.has_secrets else data
            headers.setdefault("Content-Type", "application/json")
        with contextlib.ExitStack() as opened:
            if call.parts:
                data, size = as_form(call.parts, files, opened)
                attempts.allow(size / _SLOWEST_UPLOAD)
            # For aiohttp, 0 means no timeout.
            limit, connect = max(attempts.left, _SHORTEST), self.settings.connect_timeout
            async with self.session().request(
                call.method,
                yarl.URL(self.url_of(call.path, call.query) if call.has_secrets else shown, encoded=True),
                data=data,
                headers=headers,
                proxy_headers=self.proxy_headers,
                # Redirects to another server are refused. A secret is not even sent to another path of this one.
                allow_redirects=not call.has_secrets,
                max_redirects=MAX_REDIRECTS,
                middlewares=(*self._middlewares, sent_once) if call.method in REPEATED else None,
                timeout=aiohttp.ClientTimeout(total=limit, sock_connect=connect)
                if sink is None
                else _pauses(limit, connect),
            ) as answer:
                if sink is None or answer.status >= 400:
                    content = await self._read(answer, shown, call.max_bytes)
                else:
                    content = b""
                    await stream_body(answer, shown, sink, self.settings.max_download_bytes)
                if call.has_secrets:
                    content = HiddenBytes(content)
                return Response(call.method, shown, answer.status, answer.headers, content)

    async def _read(self, answer: aiohttp.ClientResponse, shown: str, max_bytes: int | None) -> bytes:
        limit = self.settings.max_answer_bytes
        if max_bytes is not None and max_bytes < limit:
            return await read_body(answer, shown, max_bytes, None)
        return await read_body(answer, shown, limit)

    def url_of(self, path: str, query: Query | None = None) -> str:
        """Return the URL of a path below the server's root.

        Raises:
            RequestBodyError: the query contains an unpaired surrogate.
        """
        pairs = {name: _query_text(value) for name, value in (query or {}).items() if value is not None}
        try:
            return f"{self.settings.url}{path}" + (f"?{urlencode(pairs, doseq=True)}" if pairs else "")
        except UnicodeEncodeError as error:
            raise RequestBodyError(
                f"The query of {path} cannot be sent: {error}.", hint="Remove the unpaired surrogates from the text."
            ) from error


def _proxy(settings: Settings) -> tuple[yarl.URL | None, dict[str, str] | None]:
    """Return the address of the proxy, and separately the header with its login, as errors show the address."""
    if settings.proxy is None:
        return None, None
    url = yarl.URL(settings.proxy.reveal())
    if url.user is None:
        return url, None
    login = base64.b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
    return url.with_user(None), {"Proxy-Authorization": Secret(f"Basic {login}").reveal()}


@functools.lru_cache(maxsize=8)
def _pauses(seconds: float, connect: float) -> aiohttp.ClientTimeout:
    """Return the timeout of a streamed response: for each pause in it, and for the connection."""
    return aiohttp.ClientTimeout(total=None, sock_read=seconds, sock_connect=connect)


def _query_text(value: Scalar | Sequence[Scalar]) -> str | list[str]:
    if isinstance(value, str):
        return value
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Sequence):
        return [_text(one) for one in value]
    return _text(value)


def _text(value: Scalar) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    return str(value).lower() if isinstance(value, bool) else str(value)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _kind(call: Call[Any]) -> str:
    """Return what requests are counted by: the method and the noun of the route, such as `GET queue`."""
    parts = call.path.split("/")
    return f"{call.method} {parts[3] if len(parts) > 3 else parts[-1]}"
