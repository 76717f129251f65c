"""One request to the server, as a value: what to send, and how to read the answer."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
    """A whole answer: status, headers and body, and the request it belongs to.

    `headers` compare without regard to case; a renewed token and cookies are among them. `is_repeat` tells that the
    same request was sent before without a response, so that the server may have carried it out twice.
    """

    method: str
    url: str
    status_code: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    is_repeat: bool = field(default=False, repr=False)

    @property
    def text(self) -> str:
        """The body as text; what is not UTF-8 is shown as the replacement character."""
        return self.content.decode("utf-8", "replace")

    @property
    def ok(self) -> bool:
        """Whether the status is below 400. Requests that answer with another one raise its error instead."""
        return self.status_code < 400

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            NotInvokeAIError: it is a web page. The server answers unknown paths with its own, other servers with
                whatever they like.
            ServerError: it is something else that is not JSON, such as an image.
        """
        try:
            return read_json(self.content)
        except ValueError:
            if "html" in self._kind:
                raise not_invokeai_response(self, "JSON") from None
            raise ServerError(
                f"{self.method} {self.url} answered {self.status_code} with {self._kind}, not with JSON.",
                status=self.status_code,
                method=self.method,
                url=self.url,
                hint="What it answered is in .content, or .text.",
            ) from None

    def check_file(self, size: int) -> None:
        """See that the body, of so many bytes, can be a file: it may have been streamed, and not be here.

        Raises:
            NotInvokeAIError: it is a web page, as for any unknown path.
            ServerError: it is empty.
        """
        if self.headers.get("content-type", "").startswith("text/html"):
            raise not_invokeai_response(self, "a file")
        if not size:
            raise ServerError(
                f"{self.method} {self.url} answered {self.status_code} with an empty file.",
                status=self.status_code,
                method=self.method,
                url=self.url,
                hint="The server may have lost the file; its log says more.",
            )

    @property
    def _kind(self) -> str:
        return self.headers.get("content-type", "no content type")


def not_invokeai_response(response: Response, wanted: str) -> NotInvokeAIError:
    """Return the error for a response that no InvokeAI server gives; `wanted` is what it would have."""
    return NotInvokeAIError(
        f"{response.method} {response.url} answered {response.status_code} with {response._kind}, not with {wanted}.",
        url=response.url,
        method=response.method,
        hint="Is this the address of an InvokeAI server, with its sub-path if it has one?",
    )


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart form: text, or a file with its content, streamed where that is a path or an open file."""

    name: str
    content: str | bytes | Path | BinaryIO = field(repr=False)
    filename: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One request and the type of its answer.

    Args:
        method: the HTTP method.
        path: below the server's root, made by `api_path`.
        parse: reads a good answer; it may raise our errors, pydantic's and those of a wrong shape.
        query: what follows the `?`; None is left out, booleans become `true` and `false`, of several each is told.
        body: sent as JSON, unless None.
        parts: sent as a multipart form, in place of a body.
        idempotent: carrying it out twice is as good as once, so it may be sent again when its fate is unknown. Any
            other call is sent again only after a failure that proves that it was not carried out.
        done_statuses: error statuses of a repeat which mean that an earlier attempt was carried out, such as 404 for a
            deletion. `parse` then gets that response, with `is_repeat`.
        retries: how often it is sent again at most; None for the client's setting.
        headers: sent beside the client's own, and in place of one of the same name.
        timeout: seconds for the call with all its retries, where the client's own timeout does not fit.
        max_bytes: the largest response that is read into memory, where that is less than the client's own limit.
        needs_token: where there is none, but an email and a password, there is a login before it.
        has_secrets: its query or body holds a password or token: errors do not quote them, no redirect is followed.
    """

    method: str
    path: str
    parse: Callable[[Response], T]
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


GONE = frozenset({404})
"""The `done_statuses` of a deletion."""


def json_of(value: Any, what: str) -> bytes:
    """Return a value as JSON, in UTF-8; a `Secret` in it is revealed.

    Raises:
        RequestBodyError: it cannot be; `what` names it.
    """
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_revealed).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestBodyError(
            f"{what} cannot be written as JSON: {error}.",
            hint="Use only dicts with text keys, lists, text, finite numbers, booleans and None.",
        ) from error


def _revealed(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_UNSAFE = re.compile(r"[/\x00-\x1f\x7f\ud800-\udfff]")


def api_path(*segments: str | int, version: int = 1) -> str:
    """The path of a route, each segment quoted, so that a name cannot reach another route.

    Raises:
        UnsafePathError: a segment is empty, `.` or `..`, or has a slash, a control character or half a character:
            servers undo the quotes before they look for the route.

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
            f"{segment!r} names nothing on the server.", name=text, hint="Pass the name or id itself."
        )
    return quote(text, safe="")
