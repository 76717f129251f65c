"""`Call`: a request to the server as a value, with a function that reads the response."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar
from urllib.parse import quote

from invokeai_py_client.errors import NotInvokeAIError, RequestBodyError, ServerError, UnsafePathError
from invokeai_py_client.json_text import read_json
from invokeai_py_client.secret import Secret

T = TypeVar("T")

Scalar = str | int | float | bool | Secret

Query = Mapping[str, Scalar | Sequence[Scalar] | None]


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response: status, headers and body, and the request that it belongs to.

    The names of `headers` are case-insensitive; the headers include cookies and a renewed token. `is_repeat` is True if
    the same request was sent before without a response, so that the server may have carried it out twice.
    """

    method: str
    url: str
    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    is_repeat: bool = field(default=False, repr=False)

    @property
    def text(self) -> str:
        """The body as text. Bytes that are not UTF-8 become the replacement character."""
        return self.content.decode("utf-8", "replace")

    @property
    def ok(self) -> bool:
        """Whether the status is below 400. For other statuses, requests raise an error instead."""
        return self.status_code < 400

    def json(self) -> Any:
        """Parse the body as JSON.

        Raises:
            NotInvokeAIError: the body is a web page, as InvokeAI and other servers send for unknown paths.
            ServerError: the body is not JSON, for example an image.
        """
        try:
            return read_json(self.content)
        except ValueError:
            if "html" in self._kind:
                raise not_invokeai_response(self, "JSON") from None
            raise ServerError(
                f"{self.method} {self.url} returned status {self.status_code} with {self._kind} instead of JSON.",
                status=self.status_code,
                method=self.method,
                url=self.url,
                hint="The body is in .content and .text.",
            ) from None

    def check_file(self, size: int) -> None:
        """Check that the body can be a file.

        Args:
            size: the size of the body, which may have been streamed to disk instead of being in `content`.

        Raises:
            NotInvokeAIError: it is a web page, as for any unknown path.
            ServerError: it is empty.
        """
        if self.headers.get("content-type", "").startswith("text/html"):
            raise not_invokeai_response(self, "a file")
        if not size:
            raise ServerError(
                f"{self.method} {self.url} returned status {self.status_code} with an empty file.",
                status=self.status_code,
                method=self.method,
                url=self.url,
                hint="The server may have lost the file. Check its log.",
            )

    @property
    def _kind(self) -> str:
        return self.headers.get("content-type", "no content type")


def not_invokeai_response(response: Response, wanted: str) -> NotInvokeAIError:
    """Return the error for a response that is not from an InvokeAI server; `wanted` is the expected content."""
    return NotInvokeAIError(
        f"{response.method} {response.url} returned status {response.status_code} with {response._kind} instead of "
        f"{wanted}.",
        url=response.url,
        method=response.method,
        hint="Check that this is the address of an InvokeAI server, including its sub-path if it has one.",
    )


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart form: text, or a file, which is streamed if `content` is a path or an open file."""

    name: str
    content: str | bytes | Path | BinaryIO = field(repr=False)
    filename: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request, and the type of its result.

    Args:
        method: the HTTP method.
        path: the path below the server's root, from `api_path`.
        parse: reads a successful response. It may raise errors of this package, of pydantic, and those of a wrong type
            or a missing key.
        query: the query parameters. None is left out, booleans become `true` and `false`, a list repeats the parameter.
        body: sent as JSON, unless None.
        parts: sent as a multipart form, instead of a body.
        idempotent: whether repeating the request has no further effect, so that it may be retried after any transient
            failure. Other calls are only retried after a failure that proves that they were not carried out.
        done_statuses: error statuses of a retry which mean that an earlier attempt was carried out, such as 404 for a
            deletion. `parse` then gets that response, with `is_repeat`.
        retries: the maximum number of retries; None for the client's setting.
        headers: additional headers, which override the client's headers of the same name.
        timeout: seconds for the call with all its retries; None for the client's setting.
        max_bytes: the maximum size of the response in memory, if that is less than the client's limit.
        needs_token: whether the call needs a token, and so a login if there is no token but an email and a password.
        has_secrets: whether the query or body contains a password or token. If so, errors do not quote them, and
            redirects are not followed.
    """

    method: str
    path: str
    parse: Callable[[Response], T]
    _: KW_ONLY
    query: Query = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)
    parts: Sequence[Part] = ()
    idempotent: bool = False
    done_statuses: frozenset[int] = frozenset()
    retries: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float | None = None
    max_bytes: int | None = None
    needs_token: bool = True
    has_secrets: bool = False


def idempotent(method: str, path: str, parse: Callable[[Response], T], **options: Any) -> Call[T]:
    """Return a request that may be repeated; `options` are other attributes of `Call`."""
    return Call(method, path, parse, idempotent=True, **options)


def get(path: str, parse: Callable[[Response], T], query: Query | None = None) -> Call[T]:
    """Return a `GET` request that only reads, so that it may be repeated."""
    return idempotent("GET", path, parse, query=query or {})


GONE = frozenset({404})
"""The `done_statuses` of a deletion."""


def json_of(value: Any, what: str) -> bytes:
    """Return a value as JSON in UTF-8, with each `Secret` in it revealed.

    Raises:
        RequestBodyError: the value cannot be written as JSON; `what` is its name in the message.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_revealed).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestBodyError(
            f"{what} cannot be written as JSON: {error}.",
            hint="Use only dicts with string keys, lists, strings, finite numbers, booleans and None.",
        ) from error


def _revealed(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_UNSAFE = re.compile(r"[/\x00-\x1f\x7f\ud800-\udfff]")


def api_path(*segments: str | int, version: int = 1) -> str:
    """Return the path of a route, with each segment quoted, so that a name cannot reach another route.

    Raises:
        UnsafePathError: a segment is empty, `.` or `..`, or contains a slash, a control character or an unpaired
            surrogate. Quoting does not make these safe, as servers unquote a path before they find the route.

    Example:
        >>> api_path("images", "i", "a b.png")
        '/api/v1/images/i/a%20b.png'
    """
    return "/".join([f"/api/v{version}", *map(_quoted, segments)])


@functools.lru_cache(maxsize=256)
def _quoted(segment: str | int) -> str:
    text = str(segment)
    if text in {"", ".", ".."} or _UNSAFE.search(text):
        raise UnsafePathError(
            f"{segment!r} cannot be a name or id on the server.", name=text, hint="Pass the name or id itself."
        )
    return quote(text, safe="")
