"""Sends a `Call` over the client's one HTTP session: time-outs, retries, errors, streamed downloads."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import aiohttp
import yarl
from multidict import CIMultiDict
from pydantic import ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_base, wait_exponential, wait_random

from invokeai_py_client.errors import (
    AnswerTooLargeError,
    ApiError,
    AuthenticationError,
    InvokeAIError,
    RequestBodyError,
    ServerError,
    TransportError,
)
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.answers import error_for
from invokeai_py_client.transport.bodies import NO_FILES, Downloaded, FileError, OpenFile, OpenFiles, Sink, as_form
from invokeai_py_client.transport.credentials import Credentials
from invokeai_py_client.transport.failures import failure
from invokeai_py_client.transport.open_line import OpenLine
from invokeai_py_client.transport.redirects import MAX_REDIRECTS, LedElsewhere, redirected, staying_at
from invokeai_py_client.wire.call import Call, Query, Response, Scalar, json_of
from invokeai_py_client.wire.calls import queue
from invokeai_py_client.wire.records import LoginResult, UserRecord

T = TypeVar("T")

PASSING_STATUSES = frozenset({429, 502, 503, 504})
"""What a busy or restarting server, or the proxy before it, answers: worth another try."""

_SLOWEST_UPLOAD = 64 * 1024
"""Bytes a second: an upload may take as long as it takes at this rate, and then as long as any request."""

_LONGEST_RETRY_AFTER = 60.0

_KEPT_OPEN = 4.0
"""Seconds; the server closes what was idle for five, which must not meet the next request."""

_HANG_UP = 0.05
"""Seconds that it takes a server, at most, to hang up."""


def is_passing(error: BaseException) -> bool:
    """Whether a failure may be gone in a moment, so that a request that may be repeated should be."""
    if isinstance(error, ApiError):
        return error.status in PASSING_STATUSES
    return type(error) is TransportError


class RetryWait(wait_base):
    """Twice as long with each try, and a little more by chance, unless the server itself said how long.

    Four retries take 3 s at least. Were all of the wait left to chance, they could be over in a moment, while the
    server is still away.
    """

    def __init__(self) -> None:
        self._growing = wait_exponential(multiplier=0.2, max=5.0) + wait_random(0, 0.2)

    def __call__(self, retry_state: RetryCallState) -> float:
        """The seconds until the next try."""
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, ApiError) and error.retry_after is not None:
            return min(error.retry_after, _LONGEST_RETRY_AFTER)
        return self._growing(retry_state)


class HttpTransport:
    """The client's one seam to HTTP. All coroutines run on the engine.

    Args:
        settings: the server's address and how to speak to it.
        engine: whose loop the session lives on.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings = settings
        self._engine = engine
        self._session: aiohttp.ClientSession | None = None
        self._generation = -1
        self.credentials = Credentials(settings, engine)
        self._proxy, self.proxy_headers = _proxy(settings)
        self._open_line = OpenLine(settings)
        self.answers: Counter[tuple[str, str]] = Counter()
        self.on_exchange: list[Callable[[Call[Any], Response | None], None]] = []
        """Called after each exchange with the call and its response, None if it failed."""
        self._quiet_until = 0.0

    def session(self) -> aiohttp.ClientSession:
        """The session of this process and loop, made when it is first needed."""
        if self._session is None or self._generation != self._engine.generation:
            # After a fork the old session belongs to the parent: it is let go, never closed here.
            self._generation = self._engine.generation
            headers = {"Accept": "application/json, */*;q=0.5"}
            session = self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self.settings.ssl_context(), limit=100, keepalive_timeout=_KEPT_OPEN
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=headers,
                proxy=self._proxy,
                middlewares=(staying_at(self.settings.url),),
            )
            self._engine.on_close(session.close)
        return self._session

    async def send(self, call: Call[T]) -> T:
        """Send a call and read its answer.

        Args:
            call: what to send. One that is idempotent is sent again after a passing failure.

        Returns:
            What the call's own `parse` makes of the answer.

        Raises:
            TransportError: the server cannot be reached, or hung up.
            RequestTimeout: no answer in time.
            ApiError: an error status, by kind; `ServerError` also for an answer of an unexpected shape.
        """
        return _parsed(call, await self.fetch(call))

    async def fetch(self, call: Call[Any]) -> Response:
        """Send a call and return the whole answer unread; errors and retries as in `send`."""
        files = {
            part.name: OpenFile(part.content) for part in call.parts if not isinstance(part.content, str | bytes | Path)
        }
        return await self._again_and_again(call, lambda: self._attempt(call, files=files))

    async def download(self, call: Call[Any], path: Path) -> Downloaded:
        """Stream the body of an answer into a file; if the call is idempotent, start over after a passing failure.

        Args:
            call: what to send.
            path: the file, which appears under its name when it is whole; one of that name is replaced.

        Returns:
            How many bytes it got, and their checksum.

        Raises:
            NotInvokeAIError: what came is a web page.
            ServerError: nothing came.
            OSError: the file cannot be written; and errors as in `send`.
        """

        async def attempt() -> Downloaded:
            with contextlib.ExitStack() as opened:
                sink = Sink(path, opened)
                await self._attempt(call, sink)
            return sink.got

        return await self._again_and_again(call, attempt)

    async def _again_and_again(self, call: Call[Any], attempt: Callable[[], Awaitable[T]]) -> T:
        """Make an attempt, and after a passing failure more of them, if the call may be repeated."""
        try:
            return await attempt()
        except InvokeAIError as error:
            if not call.idempotent or not self.settings.retries or not is_passing(error):
                raise
            first: InvokeAIError | None = error
        # Only what has failed pays for this: the first attempt's failure counts as the first of its tries.
        tries = AsyncRetrying(
            retry=retry_if_exception(is_passing),
            stop=stop_after_attempt(self.settings.retries + 1),
            wait=RetryWait(),
            reraise=True,
        )
        async for one in tries:
            with one:
                failure, first = first, None
                if failure is not None:
                    raise failure
                return await attempt()
        raise AssertionError("the loop above returns or raises")

    async def _attempt(self, call: Call[Any], sink: Sink | None = None, files: OpenFiles = NO_FILES) -> Response:
        """Send a call as who the client is, logging in before, or once more, where that is needed."""
        credentials = self.credentials
        if not call.needs_token:
            return await self._exchange(call, credentials.token, sink, files)
        if credentials.wants_login:
            await credentials.renew(None, self._send_login)
        token = credentials.token
        try:
            return await self._exchange(call, token, sink, files)
        except AuthenticationError:
            if not await credentials.renew(token, self._send_login) or credentials.token == token:
                raise
        return await self._exchange(call, credentials.token, sink, files)

    async def _send_login(self, call: Call[LoginResult]) -> LoginResult:
        return _parsed(call, await self._exchange(call, None))

    async def log_in(self, email: str, password: str, *, remember_me: bool | None = None) -> UserRecord | None:
        """Be this user from now on, remembered as long as before if it is not said; None where there are no users."""
        return await self.credentials.log_in(email, password, self._send_login, remember_me=remember_me)

    async def token(self, *, is_asked: bool) -> str | None:
        """The token of now; there may have to be a login first.

        Args:
            is_asked: a call of the user's wants it, which may try once more a login that was refused before.

        Raises:
            InvokeAIError: as any request.
        """
        if self.credentials.wants_login:
            await self.credentials.renew(None, self._send_login, is_asked=is_asked)
        if self.credentials.token is not None:
            self._open_line.warn()
        return self.credentials.token

    async def confirm(self, token: str | None, *, is_asked: bool) -> None:
        """See whether the server accepts a token with which it has refused the socket, and log in if it does not.

        Args:
            token: which it has refused.
            is_asked: as for `token`.

        Raises:
            AuthenticationError: it does not, and there is nothing to log in with, or the password is wrong.
            ForbiddenError: the user was deactivated.
            InvokeAIError: as any request.
        """
        try:
            # Of the routes that need a token, where there are users, one that a server without users has as well.
            await self._exchange(queue.get_queue_status("default"), token)
        except AuthenticationError:
            if not await self.credentials.renew(token, self._send_login, is_asked=is_asked):
                raise

    async def _exchange(
        self, call: Call[Any], token: str | None, sink: Sink | None = None, files: OpenFiles = NO_FILES
    ) -> Response:
        url = self.url_of(call.path, call.query)
        shown = self.url_of(call.path) if call.has_secrets else url
        headers = CIMultiDict(call.headers)
        if "Authorization" in headers:
            token = None
        elif token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if self._open_line.is_watched and (call.has_secrets or "Authorization" in headers):
            self._open_line.warn()
        if call.method == "DELETE":
            # What a delete answers is short, or nothing: servers with a recent Starlette fail to compress nothing.
            headers.setdefault("Accept-Encoding", "identity")
        data: bytes | aiohttp.FormData | None = None
        if call.body is not None:
            data = json_of(call.body, f"The body of {call.method} {call.path}")
            headers.setdefault("Content-Type", "application/json")
        quiet = self._quiet_until - time.monotonic()
        if quiet > 0:
            await asyncio.sleep(quiet)
        opened = contextlib.ExitStack()
        outcome = "no answer"
        answered: Response | None = None
        limit = self.settings.timeout if call.timeout is None else call.timeout
        try:
            if call.parts:
                data, size = as_form(call.parts, files, opened)
                limit += size / _SLOWEST_UPLOAD
            async with self.session().request(
                call.method,
                yarl.URL(url, encoded=True),
                data=data,
                headers=headers,
                proxy_headers=self.proxy_headers,
                # No redirect leads to another server; a password is not even sent to another path of this one.
                allow_redirects=not call.has_secrets,
                max_redirects=MAX_REDIRECTS,
                timeout=aiohttp.ClientTimeout(
                    total=limit if sink is None else None,
                    sock_read=None if sink is None else limit,
                    sock_connect=self.settings.connect_timeout,
                ),
            ) as answer:
                if sink is None or answer.status >= 400:
                    content = await self._read(answer, shown)
                else:
                    content = b""
                    async for piece in answer.content.iter_any():
                        sink.write(piece)
                response = answered = Response(call.method, shown, answer.status, answer.headers, content)
            outcome = str(answer.status)
            renewed = answer.headers.get("X-Refreshed-Token")
            if renewed and token is not None and self.credentials.token == token:
                self.credentials.adopt(renewed)
        except FileError as error:
            raise error.error from None
        except (LedElsewhere, aiohttp.ClientError, OSError) as error:
            unreadable = next((file.error for file in files.values() if file.error), None)
            if unreadable is not None:
                raise unreadable from None
            gone_wrong = failure(call.method, shown, error, limit)
            raise gone_wrong from gone_wrong.__cause__
        finally:
            opened.close()
            self.answers[_kind(call), outcome] += 1
            for listener in self.on_exchange:
                listener(call, answered)
        if response.status_code == 500:
            # A server that did not expect its own error hangs up after telling it. What is sent on the connection
            # meanwhile would be lost.
            self._quiet_until = time.monotonic() + _HANG_UP
        if response.status_code >= 400:
            raise error_for(response, has_secrets=call.has_secrets)
        if response.status_code >= 300:
            raise redirected(call.method, shown, answer.headers.get("Location"), "what it carries is not sent again")
        if sink is not None:
            response.check_file(sink.got.size)
        return response

    async def _read(self, answer: aiohttp.ClientResponse, shown: str) -> bytes:
        """The whole body, unless it is larger than the limit: what is packed shows its size only as it is read."""
        limit = self.settings.max_answer_bytes
        if answer.method == "HEAD":
            return b""
        if answer.content_length is not None and "Content-Encoding" not in answer.headers:
            if answer.content_length > limit:
                raise self._too_large(answer, shown)
            return await answer.read()
        parts, size = [], 0
        async for chunk in answer.content.iter_any():
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                raise self._too_large(answer, shown)
        return b"".join(parts)

    def _too_large(self, answer: aiohttp.ClientResponse, shown: str) -> AnswerTooLargeError:
        # The rest is not wanted: the connection cannot be used again.
        answer.close()
        limit = self.settings.max_answer_bytes
        return AnswerTooLargeError(
            f"{answer.method} {shown} answers with more than {limit:,} bytes.",
            status=answer.status,
            method=answer.method,
            url=shown,
            limit=limit,
            hint="Stream it into a file, or raise the setting max_answer_bytes.",
        )

    def url_of(self, path: str, query: Query | None = None) -> str:
        """The whole URL of a path below the server's root.

        Raises:
            RequestBodyError: the query has half a character.
        """
        pairs = {name: _query_text(value) for name, value in (query or {}).items() if value is not None}
        try:
            return f"{self.settings.url}{path}" + (f"?{urlencode(pairs, doseq=True)}" if pairs else "")
        except UnicodeEncodeError as error:
            raise RequestBodyError(
                f"The query of {path} cannot be sent: {error}.", hint="Text with half a character is no text."
            ) from error


def _proxy(settings: Settings) -> tuple[yarl.URL | None, dict[str, str] | None]:
    """The proxy's address, and apart from it who logs in there: addresses are shown in errors."""
    if settings.proxy is None:
        return None, None
    url = yarl.URL(settings.proxy)
    if url.user is None:
        return url, None
    login = base64.b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
    return url.with_user(None), {"Proxy-Authorization": f"Basic {login}"}


def _parsed(call: Call[T], response: Response) -> T:
    try:
        return call.parse(response)
    except InvokeAIError:
        raise
    except (ValidationError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        failure = ServerError(
            f"{call.method} {response.url} was answered in a shape that this client does not know: "
            f"{str(error).splitlines()[0]}.",
            status=response.status_code,
            method=call.method,
            url=response.url,
            detail=None if call.has_secrets else response.text[:2000],
            hint="The server may be newer than this client; a newer client may know the answer.",
        )
        # What pydantic says quotes the answer, which may hold a token.
        raise failure from (None if call.has_secrets else error)


def _query_text(value: Scalar | Sequence[Scalar]) -> str | list[str]:
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return [_text(one) for one in value]
    return _text(value)


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _kind(call: Call[Any]) -> str:
    """What a request is about, for the counts: its method and the noun of its route, such as `GET queue`."""
    parts = call.path.split("/")
    return f"{call.method} {parts[3] if len(parts) > 3 else parts[-1]}"
