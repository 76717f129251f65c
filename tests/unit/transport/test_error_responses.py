from __future__ import annotations

import json
from typing import Any

import pytest

from invokeai_py_client import errors
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.error_responses import (
    error_for,
    is_of_any_server,
    nearest,
    not_invokeai,
    not_there,
    unknown_shape,
)
from invokeai_py_client.wire.call import Call, Query, Response


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
    assert (error.method, error.url, error.detail) == ("POST", "http://host/api/v1/queue", "it would not")
    assert error.hint
    assert str(error).startswith(f"POST http://host/api/v1/queue returned {status}: it would not.")
    assert error.hint in str(error)


NODES = ["body", "batch", "graph", "nodes"]


@pytest.mark.parametrize(
    ("place", "found", "says"),
    [
        (["a", "add", "b"], ("a", "add", "b"), "node 'a' (add), field 'b': bad (at body.batch.graph.nodes.a.add.b)"),
        (["a", "add", "b", 0, "c"], ("a", "add", "b"), "node 'a' (add), field 'b': bad"),
        (["a", "add"], ("a", "add", None), "node 'a' (add): bad"),
        ([7], ("7", None, None), "node '7': bad"),
        ([], (None, None, None), "bad"),
    ],
)
def test_a_fault_in_a_graph_names_the_node_and_the_field(
    place: list[str], found: tuple[str | None, ...], says: str
) -> None:
    detail = ["odd", {"msg": "no place"}, {"loc": ["body", "runs"]}, {"loc": [*NODES, *place], "msg": "bad"}]
    for faults in (detail, [detail[3], {"loc": [*NODES, "z", "sub", "a"], "msg": "bad too"}]):
        error = error_for(answer(422, {"detail": faults}))
        assert type(error) is errors.GraphRejectedError
        assert (error.node_id, error.node_type, error.field) == found
        assert (error.status, error.method, error.url) == (422, "POST", "http://host/api/v1/queue")
        assert error.detail == faults
        assert error.hint
        assert not error.may_have_been_applied
    assert says in str(error)


@pytest.mark.parametrize("place", [["body", "graph"], ["body", "nodes", "a"], None, "graph"])
def test_a_fault_that_is_in_no_node_is_not_one_of_the_graph(place: Any) -> None:
    assert type(error_for(answer(422, {"detail": [{"loc": place, "msg": "bad"}]}))) is errors.RejectedError


def test_a_fault_in_a_graph_counts_for_refusals_only() -> None:
    faults = {"detail": [{"loc": [*NODES, "a", "add", "b"], "msg": "bad"}]}
    kinds = {404: errors.NotFoundError, 413: errors.RejectedError, 500: errors.ServerError}
    assert {status: type(error_for(answer(status, faults))) for status in kinds} == kinds


def test_a_fault_elsewhere_says_where() -> None:
    error = error_for(answer(422, {"detail": [{"loc": ["body", "runs"], "msg": "too many"}, "odd", {"loc": None}]}))
    assert type(error) is errors.RejectedError
    assert "too many (at body.runs); odd; not valid" in str(error)


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"[1, 2]", b"null", b'{"detail": null}', b"\xff\xfe"])
def test_any_body_makes_an_error(body: bytes) -> None:
    assert isinstance(error_for(answer(502, body)), errors.ServerError)


PAGE = b"<!DOCTYPE html>\n<html><title> 413 Request\nEntity &amp; Too Large</title><body>nginx</body></html>"


@pytest.mark.parametrize("status", [400, 401, 403, 413, 429, 500, 502, 503])
@pytest.mark.parametrize("body", [PAGE, b"\n <html><p>x</html>", b"<?xml version='1.0'?><Error/>"])
def test_a_web_page_is_reported_by_its_title_and_not_shown(status: int, body: bytes) -> None:
    error = error_for(answer(status, body, {"content-type": "text/html"}))
    assert isinstance(error, errors.ApiError)
    assert "a web page" in str(error)
    assert "<" not in str(error)
    assert body is not PAGE or "'413 Request Entity & Too Large'" in str(error)


def test_a_web_page_in_json_is_not_shown_either() -> None:
    assert "<" not in str(error_for(answer(500, {"detail": PAGE.decode()})))


def test_what_is_not_text_is_reported_by_its_size_and_type() -> None:
    error = error_for(answer(500, b"\x89PNG\r\n\x1a\n\xff\xff", {"content-type": "image/png"}))
    assert "10 bytes of image/png" in str(error)


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("body", [PAGE, b"404: Not Found", b""])
def test_another_server_s_page_for_what_it_does_not_know_is_not_a_not_found_error(status: int, body: bytes) -> None:
    assert type(error_for(answer(status, body))) is errors.NotInvokeAIError


def test_the_files_that_were_sent_are_named() -> None:
    error = error_for(answer(413, PAGE), sent="'a.png' (12,345 bytes)")
    assert isinstance(error, errors.RejectedError)
    assert "'a.png' (12,345 bytes)" in str(error)
    assert "increase the limit" in error.hint


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


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ("no", "no."),
        ("no.", "no."),
        ("no!", "no!"),
        ("no?", "no?"),
        ("  no\n", "no."),
        ("two\nlines\r\n\tof it", "two\nlines\r\n\tof it."),
        ("", "no explanation."),
        (" ", "no explanation."),
        ({"a": 1}, '{"a": 1}.'),
        (7, "7."),
        ([], "no explanation."),
        (["a", "b", "c"], "a; b; c."),
        (["a", "b", "c", "d"], "a; b; c; and 1 more."),
        ([{"msg": "bad", "loc": ["body", 0, "x"]}], "bad (at body.0.x)."),
        ([{"msg": "bad", "loc": []}], "bad."),
        ([{"msg": 5}, {"loc": ["x"]}, 3], "5; not valid (at x); 3."),
        ("x" * 500, "x" * 500 + "."),
        ("x" * 501, "x" * 500 + "..."),
    ],
)
def test_an_explanation_is_one_sentence_of_limited_length(detail: Any, words: str) -> None:
    error = error_for(answer(400, {"detail": detail}))
    assert str(error).removesuffix(error.hint).rstrip() == f"POST http://host/api/v1/queue returned 400: {words}"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<HTML><TITLE lang=en>Bad\n  Gateway &amp; more</TITLE>", "a web page, 'Bad Gateway & more'."),
        (b"<html><title></title>", "a web page."),
        (b"<html>", "a web page."),
        (b"<title>" + b"x" * 101 + b"</title>", f"a web page, '{'x' * 100}'."),
        (b"\x00" * 1234, "1,234 bytes of unknown type."),
        (b"caf\xe9", "4 bytes of unknown type."),
        ("caf\u00e9".encode(), "caf\u00e9."),
    ],
)
def test_only_what_people_can_read_is_quoted(body: bytes, words: str) -> None:
    error = error_for(answer(500, body))
    assert f" returned 500: {words}" in str(error)


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "INVOKEAI_TOKEN"),
        (403, "administrator"),
        (404, "name or id"),
        (407, "user:password@"),
        (413, "limit"),
        (422, "Correct"),
        (500, "log"),
    ],
)
def test_the_hint_is_what_to_do_about_that_status(status: int, hint: str) -> None:
    error = error_for(answer(status, {"detail": "no"}))
    assert hint in error.hint
    assert error.hint in str(error)


def test_the_login_that_a_proxy_requires_is_reported_as_the_proxy_s() -> None:
    error = error_for(answer(407, b""))
    assert type(error) is errors.RejectedError
    assert "The proxy requires a login." in str(error)
    assert error.may_have_been_applied is True, "it was not InvokeAI who refused"


@pytest.mark.parametrize("status", [404, 405, 501])
def test_an_unknown_path_in_json_may_be_of_any_server(status: int) -> None:
    def error(body: Any) -> errors.ApiError:
        return api_error(answer(status, body))

    for generic in ("Not Found", "Method Not Allowed"):
        assert is_of_any_server(error({"detail": generic}))
    for other in ({}, {"error": "no"}, 7, None, {"detail": None}):
        assert is_of_any_server(error(other))
    for own in ({"detail": "Image not found"}, {"detail": ["no"]}, {"detail": ""}, "no such path"):
        assert not is_of_any_server(error(own))


@pytest.mark.parametrize("status", [200, 400, 401, 403, 409, 422, 500, 502])
def test_other_statuses_do_not_put_the_server_in_doubt(status: int) -> None:
    error = errors.ApiError("no", status=status, method="GET", url="u", detail="Not Found")
    assert not is_of_any_server(error)


def test_a_server_that_is_not_invokeai_is_named_by_what_it_responded_to() -> None:
    doubted = errors.ApiError("no", status=404, method="GET", url="http://host/x")
    error = not_invokeai(doubted)
    assert type(error) is errors.NotInvokeAIError
    assert (error.method, error.url) == ("GET", "http://host/x")
    assert str(error).startswith("GET http://host/x returned 404 ")
    assert error.hint


@pytest.mark.parametrize("has_secrets", [False, True])
@pytest.mark.parametrize(("raised", "says"), [(ValueError("first\nsecond"), "first."), (KeyError(), "KeyError.")])
def test_a_response_of_an_unknown_shape_is_an_error_of_the_server(
    has_secrets: bool, raised: Exception, says: str
) -> None:
    call = Call(method="PUT", path="/x", parse=lambda response: response, has_secrets=has_secrets)
    error = unknown_shape(call, Response("PUT", "http://host/x", 200, {}, b"y" * 3000), raised)
    assert type(error) is errors.ServerError
    assert (error.status, error.method, error.url) == (200, "PUT", "http://host/x")
    assert str(error).startswith("PUT http://host/x returned ")
    assert f": {says} " in str(error)
    assert "second" not in str(error)
    assert error.hint
    # What was responded may repeat the secret, and pydantic's errors quote it.
    assert error.detail == (None if has_secrets else "y" * 2000)
    assert error.__cause__ is (None if has_secrets else raised)


class Server:
    """The part of a `Sender` that names URLs."""

    settings = Settings("http://host")

    async def send(self, call: Call[Any]) -> Any:
        raise AssertionError("nothing is sent")

    def url_of(self, path: str, query: Query | None = None) -> str:
        return f"http://host{path}"


def test_a_thing_that_a_good_response_lacks_is_not_found() -> None:
    call = Call(method="DELETE", path="/api/v1/x", parse=lambda response: response)
    error = not_there("There is no x.", call, Server(), hint="Create it.")
    assert type(error) is errors.NotFoundError
    assert (error.status, error.method, error.url) == (200, "DELETE", "http://host/api/v1/x")
    assert str(error) == "There is no x. Create it."
    assert error.may_have_been_applied is False


TEN = [f"n{number}" for number in range(10)]


@pytest.mark.parametrize(
    ("name", "names", "hint"),
    [
        ("x", [], "There are none."),
        ("zzz", ["b", "a", "b"], "It has 'a', 'b'."),
        ("Tigers", ["lions", "tiger"], "Did you mean 'tiger'? It has 'lions', 'tiger'."),
        ("TIGER", ["lions", "Tiger"], "Did you mean 'Tiger'? It has 'Tiger', 'lions'."),
        ("abcd", ["abcx", "abcy"], "Did you mean 'abcy' or 'abcx'? It has 'abcx', 'abcy'."),
        ("zzz", TEN, f"It has {', '.join(map(repr, TEN))}."),
        ("zzz", [*TEN, "o"], f"It has {', '.join(map(repr, TEN))} and 1 more."),
    ],
)
def test_a_hint_for_a_wrong_name_shows_the_nearest_and_the_first(name: str, names: list[str], hint: str) -> None:
    assert nearest(name, names, "It has") == hint


def test_a_hint_for_a_wrong_name_suggests_three_at_most() -> None:
    assert nearest("abcde", [f"abcd{number}" for number in range(5)], "It has").count(" or ") == 2
