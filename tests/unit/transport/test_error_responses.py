from __future__ import annotations

import json
from typing import Any

import pytest

from invokeai_py_client import errors
from invokeai_py_client.transport.error_responses import error_for
from invokeai_py_client.wire.call import Response


def answer(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response("POST", "http://host/api/v1/queue", status, headers or {}, content)


def api_error(response: Response, *, has_secrets: bool = False) -> errors.ApiError:
    error = error_for(response, has_secrets=has_secrets)
    assert isinstance(error, errors.ApiError)
    return error


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


PAGE = b"<!DOCTYPE html>\n<html><title> 413 Request\nEntity &amp; Too Large</title><body>nginx</body></html>"


@pytest.mark.parametrize("status", [400, 401, 403, 413, 429, 500, 502, 503])
@pytest.mark.parametrize("body", [PAGE, b"\n <html><p>x</html>", b"<?xml version='1.0'?><Error/>"])
def test_a_web_page_is_told_by_its_title_and_not_shown(status: int, body: bytes) -> None:
    error = error_for(answer(status, body, {"content-type": "text/html"}))
    assert isinstance(error, errors.ApiError)
    assert "a web page" in str(error)
    assert "<" not in str(error)
    assert body is not PAGE or "'413 Request Entity & Too Large'" in str(error)


def test_a_web_page_in_json_is_not_shown_either() -> None:
    assert "<" not in str(error_for(answer(500, {"detail": PAGE.decode()})))


def test_what_is_not_text_is_told_by_its_size_and_type() -> None:
    error = error_for(answer(500, b"\x89PNG\r\n\x1a\n\xff\xff", {"content-type": "image/png"}))
    assert "10 bytes of image/png" in str(error)


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("body", [PAGE, b"404: Not Found", b""])
def test_another_server_s_page_for_what_it_does_not_know_is_no_not_found_error(status: int, body: bytes) -> None:
    assert type(error_for(answer(status, body))) is errors.NotInvokeAIError


def test_the_files_that_were_sent_are_named() -> None:
    error = error_for(answer(413, PAGE), sent="'a.png' (12,345 bytes)")
    assert isinstance(error, errors.RejectedError)
    assert "'a.png' (12,345 bytes)" in str(error)
    assert "raise the limit" in str(error)


def test_deep_json_is_an_error_of_ours() -> None:
    assert isinstance(error_for(answer(500, b"[" * 200_000)), errors.ServerError)


@pytest.mark.parametrize("status", [400, 404, 405, 413, 415, 422])
def test_only_a_refusal_that_invokeai_explains_proves_that_nothing_was_done(status: int) -> None:
    assert not error_for(answer(status, {"detail": "no"})).may_have_been_applied
    for body in (b"<html>no</html>", b"", b"no", {"error": "no"}, ["no"], b"[" * 10_000):
        assert error_for(answer(status, body)).may_have_been_applied


@pytest.mark.parametrize("status", [401, 403])
def test_whoever_refuses_a_user_has_done_nothing(status: int) -> None:
    assert not error_for(answer(status, b"<html>no</html>")).may_have_been_applied


def test_a_text_is_the_detail_as_it_came() -> None:
    assert api_error(answer(500, b"Internal Server Error")).detail == "Internal Server Error"
    assert api_error(answer(400, {"error": "no"})).detail == {"error": "no"}
    assert api_error(answer(400, ["no"])).detail == ["no"]


def test_what_was_sent_is_not_quoted_where_it_is_secret() -> None:
    faults = [{"loc": ["body", "password"], "msg": "too short", "input": "Secret", "ctx": {"input": "Secret"}}, "odd"]
    shown = api_error(answer(422, {"detail": faults}))
    assert shown.detail == faults
    hidden = api_error(answer(422, {"detail": faults}), has_secrets=True)
    assert hidden.detail == [{"loc": ["body", "password"], "msg": "too short"}, "odd"]
    assert "too short" in str(hidden)
    assert "Secret" not in str(hidden) + repr(hidden)


@pytest.mark.parametrize(
    ("header", "seconds"), [("3", 3.0), ("0.5", 0.5), ("-1", 0.0), ("Fri, 31 Dec 1999 23:59:59 GMT", None), ("", None)]
)
def test_the_seconds_that_the_server_wants_to_be_waited(header: str, seconds: float | None) -> None:
    assert api_error(answer(503, {"detail": "busy"}, {"Retry-After": header})).retry_after == seconds
