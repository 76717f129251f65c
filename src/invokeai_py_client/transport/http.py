"""Sends a `Call` over the client's one HTTP session: time-outs, retries, errors, streamed downloads."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import os
import threading
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlencode

import aiohttp
import yarl
from pydantic import ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_base, wait_exponential, wait_random

from invokeai_py_client.errors import (
    AnswerTooLargeError,
    ApiError,
    AuthenticationError,
    InvokeAIError,
    RequestBodyError,
    RequestTimeout,
    ServerError,
    TransportError,
)
from invokeai_py_client.files import whole_file
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.answers import error_for
from invokeai_py_client.transport.credentials import Credentials
from invokeai_py_client.wire.call import Call, Part, Query, Response, json_of
from invokeai_py_client.wire.records import LoginResult, UserRecord

T = TypeVar("T")

PASSING_STATUSES = frozenset({429, 502, 503, 504})
"""What a busy or restarting server, or the proxy before it, answers: worth another try."""

_CHUNK = 256 * 1024
_SENT_IN_ONE_PIECE = 2**20
"""Bytes; aiohttp warns of more, which would hold up the loop."""

_SLOWEST_UPLOAD = 64 * 1024
"""Bytes a second: an upload may take as long as it takes at this rate, and then as long as any request."""

_LONGEST_RETRY_AFTER = 60.0


def is_passing(error: BaseException) -> bool:
    """Whether a failure may be gone in a moment, so that a request that may be repeated should be."""
    if isinstance(error, ApiError):
        return error.status in PASSING_STATUSES
    return type(error) is TransportError


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What a download got: its size in bytes, and its CRC-32."""

    size: int
    crc32: int


class _FileError(Exception):
    """An error of a file of this machine: `error`."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error


class _Sink:
    """Where a body goes: a file that is made with its first piece. Its methods block.

    Args:
        path: the file.
        opened: closes it: it takes its name when that ends well, and is removed when it does not.
    """

    def __init__(self, path: Path, opened: contextlib.ExitStack) -> None:
        self._path = path
        self._opened = opened
        self._file: BinaryIO | None = None
        self.got = Downloaded(0, 0)

    def write(self, piece: bytes) -> None:
        """Write a piece of the body.

        Raises:
            _FileError: the file cannot be written: a disk's error must not be taken for the network's.
        """
        try:
            if self._file is None:
                self._file = self._opened.enter_context(whole_file(self._path))
            self._file.write(piece)
        except OSError as error:
            raise _FileError(error) from error
        self.got = Downloaded(self.got.size + len(piece), zlib.crc32(piece, self.got.crc32))


class _OpenFile:
    """A caller's open file, sent from where it stood, however often: a first try may have been refused in its middle.

    Its place is its own. What still reads for a try that was given up does not disturb the next one.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = file.tell()
        self._lock = threading.Lock()
        self.size = file.seek(0, os.SEEK_END) - self._start
        file.seek(self._start)
        self.error: OSError | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        place = self._start
        while chunk := await asyncio.to_thread(self._read, place):
            yield chunk
            place += len(chunk)

    def _read(self, place: int) -> bytes:
        try:
            with self._lock:
                self._file.seek(place)
                return self._file.read(_CHUNK)
        except Exception as error:
            # Kept, as aiohttp would make an error of the network of it. It is whatever the caller's file raises.
            self.error = error if isinstance(error, OSError) else OSError(errno.EIO, str(error))
            raise self.error from error


_OpenFiles = Mapping[str, _OpenFile]
"""By the names of their parts."""

_NO_FILES: _OpenFiles = {}


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
        self.answers: Counter[tuple[str, str]] = Counter()

    def session(self) -> aiohttp.ClientSession:
        """The session of this process and loop, made when it is first needed."""
        if self._session is None or self._generation != self._engine.generation:
            # After a fork the old session belongs to the parent: it is let go, never closed here.
            self._generation = self._engine.generation
            headers = {"Accept": "application/json, */*;q=0.5"}
            session = self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self.settings.ssl_context(), limit=100),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=headers,
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
            part.name: _OpenFile(part.content)
            for part in call.parts
            if not isinstance(part.content, str | bytes | Path)
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
                sink = _Sink(path, opened)
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

    async def _attempt(self, call: Call[Any], sink: _Sink | None = None, files: _OpenFiles = _NO_FILES) -> Response:
        """Send a call as who the client is, logging in before, or once more, where that is needed."""
        credentials = self.credentials
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

    async def log_in(self, email: str, password: str, *, remember_me: bool) -> UserRecord | None:
        """Be this user from now on; None where the server has no users."""
        return await self.credentials.log_in(email, password, self._send_login, remember_me=remember_me)

    async def token(self) -> str | None:
        """The token of now; there may have to be a login first.

        Raises:
            InvokeAIError: as any request.
        """
        if self.credentials.wants_login:
            await self.credentials.renew(None, self._send_login)
        return self.credentials.token

    async def _exchange(
        self, call: Call[Any], token: str | None, sink: _Sink | None = None, files: _OpenFiles = _NO_FILES
    ) -> Response:
        url = self.url_of(call.path, call.query)
        shown = self.url_of(call.path) if call.has_secrets else url
        headers = dict(call.headers)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if call.method == "DELETE":
            # What a delete answers is short, or nothing: servers with a recent Starlette fail to compress nothing.
            headers.setdefault("Accept-Encoding", "identity")
        data: bytes | aiohttp.FormData | None = None
        if call.body is not None:
            data = json_of(call.body, f"The body of {call.method} {call.path}")
            headers["Content-Type"] = "application/json"
        opened = contextlib.ExitStack()
        outcome = "no answer"
        limit = self.settings.timeout if call.timeout is None else call.timeout
        try:
            if call.parts:
                data, size = _as_form(call.parts, files, opened)
                limit += size / _SLOWEST_UPLOAD
            async with self.session().request(
                call.method,
                yarl.URL(url, encoded=True),
                data=data,
                headers=headers,
                proxy=self.settings.proxy,
                # A password must not follow to another address, and neither is a token sent to another host.
                allow_redirects=not call.has_secrets,
                timeout=aiohttp.ClientTimeout(
                    total=limit if sink is None else None,
                    sock_read=None if sink is None else limit,
                    sock_connect=self.settings.connect_timeout,
                ),
            ) as answer:
                if sink is None or answer.status >= 400:
                    content = await self._read(answer)
                else:
                    content = b""
                    async for piece in answer.content.iter_any():
                        sink.write(piece)
                response = Response(call.method, shown, answer.status, answer.headers, content)
            outcome = str(answer.status)
            renewed = answer.headers.get("X-Refreshed-Token")
            if renewed and token is not None and self.credentials.token == token and not answer.history:
                self.credentials.adopt(renewed)
        except _FileError as error:
            raise error.error from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise TransportError(
                f"{call.method} {shown}: no connection to the server ({_reason(error)}).",
                url=shown,
                method=call.method,
                sent=False,
                hint="Is it running, and is this its address?",
            ) from error
        except TimeoutError as error:
            raise RequestTimeout(
                f"{call.method} {shown} got no answer within {limit:g} s.",
                url=shown,
                method=call.method,
                timeout=limit,
                hint="Give a longer `timeout` if the server is just slow.",
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            unreadable = next((file.error for file in files.values() if file.error), None)
            if unreadable is not None:
                raise unreadable from None
            raise TransportError(
                f"{call.method} {shown}: the connection broke before the answer was whole ({_reason(error)}).",
                url=shown,
                method=call.method,
                hint="The server may have been stopped or restarted; its log tells.",
            ) from error
        finally:
            opened.close()
            self.answers[_kind(call), outcome] += 1
        if response.status_code >= 400:
            raise error_for(response, has_secrets=call.has_secrets)
        if response.status_code >= 300:
            raise TransportError(
                f"{call.method} {shown} was redirected, and what it carries is not sent elsewhere.",
                url=shown,
                method=call.method,
                hint="Give the address that the server redirects to.",
            )
        if sink is not None:
            response.check_file(sink.got.size)
        return response

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        """The whole body, unless it is larger than the limit: what is packed shows its size only as it is read."""
        limit = self.settings.max_answer_bytes
        if answer.content_length is not None and "Content-Encoding" not in answer.headers:
            if answer.content_length > limit:
                raise self._too_large(answer)
            return await answer.read()
        parts, size = [], 0
        async for chunk in answer.content.iter_any():
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                raise self._too_large(answer)
        return b"".join(parts)

    def _too_large(self, answer: aiohttp.ClientResponse) -> AnswerTooLargeError:
        # The rest is not wanted: the connection cannot be used again.
        answer.close()
        limit = self.settings.max_answer_bytes
        return AnswerTooLargeError(
            f"{answer.method} {answer.url} answers with more than {limit:,} bytes.",
            status=answer.status,
            method=answer.method,
            url=str(answer.url),
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


def _parsed(call: Call[T], response: Response) -> T:
    try:
        return call.parse(response)
    except InvokeAIError:
        raise
    except (ValidationError, ValueError, LookupError, TypeError) as error:
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


def _query_text(value: str | int | float | bool | tuple[str, ...] | None) -> str | tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_form(parts: Iterable[Part], files: _OpenFiles, opened: contextlib.ExitStack) -> tuple[aiohttp.FormData, int]:
    """A form, and about how many bytes it has."""
    form, size = aiohttp.FormData(), 0
    for part in parts:
        content: Any = part.content
        if isinstance(content, Path):
            try:
                content = opened.enter_context(content.open("rb"))
            except OSError as error:
                raise _FileError(error) from error
            size += os.fstat(content.fileno()).st_size
        elif isinstance(content, str | bytes):
            size += len(content)
            if len(content) > _SENT_IN_ONE_PIECE and isinstance(content, bytes):
                content = io.BytesIO(content)
        else:
            # It is the caller's own file: aiohttp would close it.
            file = files[part.name]
            size += file.size
            content = file.chunks()
        form.add_field(part.name, content, filename=_shown(part.filename), content_type=part.content_type)
    return form, size


def _shown(filename: str | None) -> str | None:
    """A file's name with what may not stand in a header replaced."""
    return filename and "".join(one if one.isprintable() else "_" for one in filename)


def _kind(call: Call[Any]) -> str:
    """What a request is about, for the counts: its method and the noun of its route, such as `GET queue`."""
    parts = call.path.split("/")
    return f"{call.method} {parts[3] if len(parts) > 3 else parts[-1]}"


def _reason(error: BaseException) -> str:
    # aiohttp wraps the operating system's error, but for a bad certificate some versions lack it.
    inner = getattr(error, "os_error", error)
    return getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
