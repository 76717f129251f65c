"""Translate error responses to the errors of this package."""

from __future__ import annotations

import contextlib
import difflib
import json
import re
from collections.abc import Iterable
from typing import Any

from invokeai_py_client.errors import (
    ApiError,
    AuthenticationError,
    ForbiddenError,
    GraphRejectedError,
    InvokeAIError,
    NotFoundError,
    NotInvokeAIError,
    RejectedError,
    ServerError,
)
from invokeai_py_client.json_text import read_json
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.call import Call, Response, not_invokeai_response
from invokeai_py_client.workflow.json_values import is_too_deep

_LONGEST_DETAIL = 500
_LONGEST_TITLE = 100
_MOST_NAMES = 10
_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)

_REFUSALS = frozenset({401, 403})
"""Statuses that prove that a request was not carried out: servers and proxies authenticate it first."""

_OF_ANY_SERVER = frozenset({404, 405, 501})
"""Statuses with which any server responds to an unknown path or method."""

_GENERIC = ("Not Found", "Method Not Allowed")
"""The `detail` with which a FastAPI server, such as InvokeAI, responds to an unknown path or method."""


def error_for(response: Response, *, has_secrets: bool = False, sent: str = "") -> InvokeAIError:
    """Return the error for a response with a status of 400 or more.

    InvokeAI explains an error in `detail`: a string, or pydantic's list of faults. The `loc` of a fault is its
    location; in a graph it is `["body", "batch", "graph", "nodes", id, type, field]`.

    Args:
        response: the response.
        has_secrets: whether the request contained a secret, which pydantic's faults quote.
        sent: the names and sizes of the uploaded files.
    """
    if response.status_code in _OF_ANY_SERVER and not _is_json(response):
        return not_invokeai_response(response, "JSON")
    error = _error_for(response, has_secrets, sent)
    if error.status not in _REFUSALS and not _is_explained(response):
        # InvokeAI explains its errors. A proxy that does not may have forwarded the request before it failed.
        error.may_have_been_applied = True
    return error


def is_of_any_server(error: ApiError) -> bool:
    """Return whether the response may be from a server that is not InvokeAI."""
    detail = error.detail
    return error.status in _OF_ANY_SERVER and (not isinstance(detail, str | list) or detail in _GENERIC)


def not_invokeai(error: ApiError) -> NotInvokeAIError:
    """Return the error for an error response of a server that is not InvokeAI."""
    return NotInvokeAIError(
        f"{error.method} {error.url} returned {error.status} from a server that is not InvokeAI: it does not have the "
        "route for InvokeAI's version.",
        url=error.url,
        method=error.method,
        hint="Check the URL, including the sub-path if the server has one.",
    )


def unknown_shape(call: Call[Any], response: Response, error: Exception) -> ServerError:
    """Return the error for a successful response that cannot be read; `error` is what reading it raised."""
    made = ServerError(
        f"{call.method} {response.url} returned a response of an unexpected shape: "
        f"{str(error).splitlines()[0] if str(error) else type(error).__name__}.",
        status=response.status_code,
        method=call.method,
        url=response.url,
        detail=None if call.has_secrets else response.text[:2000],
        hint="The server may be newer than this client. Update the client.",
    )
    # pydantic's errors quote the response, which may contain a token.
    made.__cause__ = None if call.has_secrets else error
    return made


def _error_for(response: Response, has_secrets: bool, sent: str) -> ApiError:
    detail = _without_inputs(_detail(response)) if has_secrets else _detail(response)
    status = response.status_code
    facts: dict[str, Any] = {
        "status": status,
        "method": response.method,
        "url": response.url,
        "detail": detail,
        "retry_after": _retry_after(response),
    }
    what = f"{response.method} {response.url} returned {status}: {_explanation(response, detail)}"
    if sent:
        what += f" The request uploaded {sent}."
    if status == 401:
        return AuthenticationError(
            what,
            **facts,
            hint="Pass a valid token, or an email and a password, to InvokeAIClient.from_url, or set INVOKEAI_TOKEN.",
        )
    if status == 403:
        return ForbiddenError(
            what, **facts, hint="Ask an administrator of the server for the permission, or log in as another user."
        )
    if status == 404:
        return NotFoundError(what, **facts, hint="Check the name or id. The object may have been deleted.")
    if status == 407:
        hint = "Add user:password@ before the host of the proxy's URL."
        return RejectedError(f"{what} The proxy requires a login.", **facts, hint=hint)
    if status == 413:
        hint = "Send less, or increase the limit of the server or of the proxy in front of it."
        return RejectedError(what, **facts, hint=hint)
    if status >= 500:
        return ServerError(what, **facts, hint="Check the log of the server.")
    place = _graph_place(detail)
    if place is not None:
        return _graph_error(response, place, detail)
    return RejectedError(what, **facts, hint="Correct the request and try again.")


def not_there(what: str, call: Call[Any], http: Sender, *, hint: str) -> NotFoundError:
    """Return the error for an object that does not exist according to the successful response to `call`."""
    error = NotFoundError(what, status=200, method=call.method, url=http.url_of(call.path), hint=hint)
    error.may_have_been_applied = False
    return error


def nearest(name: str, names: Iterable[str], what: str) -> str:
    """Return a hint for a name that does not exist: the most similar names, and the first of all names."""
    known = sorted(set(names))
    if not known:
        return "There are none."
    folded = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)
    meant = f"Did you mean {' or '.join(repr(folded[one]) for one in close)}? " if close else ""
    others = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    return f"{meant}{what} {', '.join(map(repr, known[:_MOST_NAMES]))}{others}."


def _detail(response: Response) -> Any:
    with contextlib.suppress(ValueError):
        body = read_json(response.content)
        if is_too_deep(body):
            return response.text
        return body.get("detail", body) if isinstance(body, dict) else body
    return response.text


def _is_json(response: Response) -> bool:
    with contextlib.suppress(ValueError, RecursionError):
        json.loads(response.content)
        return True
    return False


def _is_explained(response: Response) -> bool:
    with contextlib.suppress(ValueError, RecursionError):
        body = json.loads(response.content)
        return isinstance(body, dict) and "detail" in body
    return False


def _without_inputs(detail: Any) -> Any:
    if isinstance(detail, list):
        return [_without_inputs(fault) for fault in detail]
    if isinstance(detail, dict):
        return {name: value for name, value in detail.items() if name not in {"input", "ctx"}}
    return detail


def _explanation(response: Response, detail: Any) -> str:
    """Describe a response: a web page by its title, binary data by size and type, otherwise its text."""
    if not isinstance(detail, str):
        return _in_words(detail)
    if detail.lstrip().startswith("<"):
        import html

        title = _TITLE.search(detail)
        words = html.unescape(" ".join(title[1].split())) if title else ""
        return f"a web page{f', {words[:_LONGEST_TITLE]!r}' if words else ''}."
    if "\ufffd" in detail or not detail.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        kind = response.headers.get("content-type", "unknown type")
        return f"{len(response.content):,} bytes of {kind}."
    return _in_words(detail)


def _in_words(detail: Any) -> str:
    if isinstance(detail, list):
        words = "; ".join(_fault_in_words(fault) for fault in detail[:3])
        words += f"; and {len(detail) - 3} more" if len(detail) > 3 else ""
    else:
        words = (detail if isinstance(detail, str) else json.dumps(detail)).strip()
    words = words or "no explanation"
    words = words if len(words) <= _LONGEST_DETAIL else words[:_LONGEST_DETAIL] + "..."
    return words if words.endswith((".", "!", "?")) else words + "."


def _fault_in_words(fault: Any) -> str:
    if not isinstance(fault, dict):
        return str(fault)
    place = ".".join(str(part) for part in fault.get("loc") or ())
    return f"{fault.get('msg', 'not valid')} (at {place})" if place else str(fault.get("msg", "not valid"))


def _graph_place(detail: Any) -> list[str] | None:
    """Return the part of `loc` after `nodes`, for the first fault in a node of a graph; None if there is none."""
    for fault in detail if isinstance(detail, list) else ():
        place = [str(part) for part in fault.get("loc") or ()] if isinstance(fault, dict) else []
        if "graph" in place and "nodes" in place:
            return place[place.index("nodes") + 1 :]
    return None


def _graph_error(response: Response, place: list[str], detail: Any) -> GraphRejectedError:
    node_id, node_type, field = ([*place, None, None, None])[:3]
    where = f"node {node_id!r}" + (f" ({node_type})" if node_type else "") + (f", field {field!r}" if field else "")
    return GraphRejectedError(
        f"The server rejected the graph at {where}: {_in_words(detail)}",
        status=response.status_code,
        method=response.method,
        url=response.url,
        detail=detail,
        node_id=node_id,
        node_type=node_type,
        field=field,
        hint="Set the field to a value that the node allows.",
    )


def _retry_after(response: Response) -> float | None:
    """Return the seconds of `Retry-After`. A date is ignored, because it needs synchronized clocks."""
    with contextlib.suppress(ValueError):
        return max(0.0, float(response.headers.get("Retry-After", "")))
    return None
