from __future__ import annotations

import json
from typing import Any

import pytest

from invokeai_py_client import errors
from invokeai_py_client.transport.answers import error_for
from invokeai_py_client.wire.call import Response


def answer(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response("POST", "http://host/api/v1/queue", status, headers or {}, content)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.RejectedError),
        (401, errors.AuthenticationError),
        (403, errors.ForbiddenError),
        (404, errors.NotFoundError),
        (409, errors.RejectedError),
        (415, errors.RejectedError),
        (429, errors.RejectedError),
        (500, errors.ServerError),
        (503, errors.ServerError),
    ],
)
def test_a_status_is_an_error_of_its_kind(status: int, kind: type[errors.ApiError]) -> None:
    error = error_for(answer(status, {"detail": "it would not"}))
    assert type(error) is kind
    assert error.status == status
    assert error.detail == "it would not"
    assert str(error).startswith(f"POST http://host/api/v1/queue was answered with {status}: it would not.")
    assert error.hint in str(error)


def test_a_fault_in_a_graph_names_the_node_and_the_field() -> None:
    place = ["body", "batch", "graph", "nodes", "a", "add", "b"]
    error = error_for(answer(422, {"detail": [{"loc": place, "msg": "Input should be a valid integer"}]}))
    assert isinstance(error, errors.GraphRejectedError)
    assert (error.node_id, error.node_type, error.field) == ("a", "add", "b")
    assert "node 'a' (add), field 'b'" in str(error)


def test_a_fault_elsewhere_says_where() -> None:
    error = error_for(answer(422, {"detail": [{"loc": ["body", "runs"], "msg": "too many"}, "odd", {"loc": None}]}))
    assert type(error) is errors.RejectedError
    assert "too many (at body.runs); odd; not valid" in str(error)


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"[1, 2]", b"null", b'{"detail": null}', b"\xff\xfe"])
def test_any_body_makes_an_error(body: bytes) -> None:
    assert isinstance(error_for(answer(502, body)), errors.ServerError)


@pytest.mark.parametrize(
    ("text", "seconds"), [("3", 3.0), ("0.5", 0.5), ("-1", 0.0), ("Wed, 21 Oct", None), ("", None)]
)
def test_retry_after_is_read_where_it_is_seconds(text: str, seconds: float | None) -> None:
    error = error_for(answer(429, {}, {"Retry-After": text}))
    assert isinstance(error, errors.ApiError)
    assert error.retry_after == seconds
