"""Turns the arguments of `InvokeAIClient.request` into a `Call`, after validation."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote

from invokeai_py_client.errors import InvalidRequestError, NotFoundError, UnsafePathError
from invokeai_py_client.secret import Secret
from invokeai_py_client.settings import checked_seconds
from invokeai_py_client.wire.call import GONE, Call, Query, Response, Scalar

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The names that HTTP allows for methods and headers."""

_LOGIN = re.compile(r"//[^/@]*@")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NO_QUOTE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SECRET = re.compile(r"token|password|secret|api.?key|credential|authorization|cookie", re.IGNORECASE)
_DEPTH_OF_NAMES = 3
"""The depth to which a body is searched for secrets. Below it, a batch has its graph, which is large and has none."""

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
"""PUT is missing because some PUT routes of the server create things, such as retry_items_by_id."""

_NEEDS_NO_TOKEN = {
    "/api/v1/app/version",
    "/api/v1/auth/status",
    "/api/v1/auth/setup",
    "/api/v1/auth/login",
    "/openapi.json",
}


def raw_call(
    method: str,
    path: str,
    *,
    body: Any,
    params: Query | None,
    headers: Mapping[str, str] | None,
    timeout: float | None,
) -> Call[Response]:
    """Return the call for a request; the arguments are those of `InvokeAIClient.request`.

    Raises:
        UnsafePathError: the path is a complete URL, or contains control characters.
        InvalidRequestError: the method, the query or a header is not valid in HTTP.
        SettingsError: the timeout is not a positive number of seconds.
    """
    if not isinstance(method, str) or not _TOKEN.fullmatch(method):
        raise InvalidRequestError(f"{method!r} is not an HTTP method.", hint="Use one such as GET or POST.")
    route, query = _parted(path)
    query |= {name: [*query.get(name, ()), *_values(name, value)] for name, value in _items(params, "params")}
    sent = dict(_items(headers, "headers"))
    for name, value in sent.items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise InvalidRequestError(f"{name!r} is not a valid header name.", hint="Use one such as 'Accept'.")
        if not isinstance(value, str) or _CONTROL.search(value.replace("\t", "")):
            # The value is not shown, as it may be a password.
            raise InvalidRequestError(
                f"The value of the header {name!r} is not valid in HTTP.", hint="Use text without line breaks."
            )
    is_somebody = any(name.lower() == "authorization" for name in sent)
    return Call(
        method=method.upper(),
        path=route,
        parse=_as_success,
        query={name: tuple(values) for name, values in query.items()},
        body=body,
        headers=sent,
        idempotent=method.upper() in _IDEMPOTENT,
        done_statuses=GONE if method.upper() == "DELETE" else frozenset(),
        timeout=None if timeout is None else checked_seconds("timeout", timeout),
        needs_token=not is_somebody and route not in _NEEDS_NO_TOKEN,
        has_secrets=is_somebody or route.startswith("/api/v1/auth/") or _names_secrets(query) or _names_secrets(body),
    )


def _as_success(response: Response) -> Response:
    if response.status_code < 400:
        if "/api/" in response.url and response.headers.get("content-type", "").startswith("text/html"):
            # The server responds with its web page to every unknown path.
            raise NotFoundError(
                f"The server has no route for {response.method} {response.url}: it responded with its web page.",
                status=response.status_code,
                method=response.method,
                url=response.url,
                hint="Check the path; /docs on the server lists its routes.",
            )
        return response
    # A repeated deletion found nothing, because an earlier attempt succeeded and its response was lost.
    return dataclasses.replace(response, status_code=204, content=b"")


def hidden(value: Any, path: object = "", *, depth: int = _DEPTH_OF_NAMES) -> Any:
    """Return a body, query or headers in which possible secrets are strings that hide themselves in `repr`.

    Args:
        value: the body, query or headers. Returned unchanged if it does not contain secrets.
        path: the route. The body of a login is secret whatever its keys are.
        depth: how deep to search.
    """
    is_login = isinstance(path, str) and "/auth/" in path
    if depth < 1 or not (is_login or _names_secrets(value, depth)):
        return value
    if isinstance(value, Mapping):
        return {
            name: _hidden_text(one) if is_login or _SECRET.search(str(name)) else hidden(one, depth=depth - 1)
            for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [hidden(one, depth=depth - 1) for one in value]
    return value


def _hidden_text(value: Any) -> Any:
    return Secret(value).reveal() if isinstance(value, str) else value


def _parted(path: str) -> tuple[str, dict[str, list[Scalar]]]:
    """Split a path into the path, with invalid characters quoted, and its query."""
    if not isinstance(path, str):
        raise UnsafePathError(f"{path!r} is not a path.", name=str(path), hint="Use one such as /api/v1/app/version.")
    route, _, written = path.partition("?")
    if "://" in route or _CONTROL.search(path):
        shown = _LOGIN.sub("//...@", "".join(route))
        raise UnsafePathError(
            f"{shown!r} is not a path on the server.",
            name=shown,
            hint="Pass the part after the server's address, such as /api/v1/app/version, without control characters.",
        )
    query: dict[str, list[Scalar]] = {}
    for name, value in parse_qsl(written, keep_blank_values=True):
        query.setdefault(name, []).append(_hidden_text(value))
    return "/" + quote(_NO_QUOTE.sub("%25", route.lstrip("/")), safe="/%:@!$&'()*+,;=~"), query


def _items(given: Any, what: str) -> list[tuple[Any, Any]]:
    if given is None:
        return []
    if not isinstance(given, Mapping):
        raise InvalidRequestError(f"{what} is a {type(given).__name__}, not a mapping.", hint="Pass a dict.")
    return [*given.items()]


def _values(name: object, value: Any) -> Sequence[Scalar]:
    values = value if isinstance(value, list | tuple) else () if value is None else (value,)
    if not isinstance(name, str) or not all(isinstance(one, str | int | float) for one in values):
        # The value is not shown, as it may be a password.
        raise InvalidRequestError(
            f"The query parameter {name!r} has an unsupported type.",
            hint="Pass a string, a number, a boolean, or a list of these.",
        )
    return values


def _names_secrets(body: Any, depth: int = _DEPTH_OF_NAMES) -> bool:
    """Return whether a body or query has keys that suggest a password or token."""
    if isinstance(body, Mapping):
        return any(
            _SECRET.search(str(name)) or (depth > 1 and _names_secrets(value, depth - 1))
            for name, value in body.items()
        )
    return isinstance(body, list | tuple) and depth > 1 and any(_names_secrets(one, depth - 1) for one in body)
