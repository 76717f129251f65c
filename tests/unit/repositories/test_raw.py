"""What `client.request` sends, against a small server on loopback."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client import InvokeAIClient, errors

# Not written out where it is used: tracebacks quote the lines of tests, too.
SECRET = "Secret-Word"

pytestmark = pytest.mark.usefixtures("quick_retries")


class Echo:
    """Remembers what it was sent, and answers with a status."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.status = 200
        self.statuses: list[int] = []
        self.headers: dict[str, str] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        detail = [{"loc": ["body"], "msg": "no", "input": (await request.read()).decode()}]
        status = self.statuses.pop(0) if self.statuses else self.status
        return web.json_response({"detail": detail}, status=status, headers=self.headers)


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def url(echo: Echo) -> AsyncIterator[str]:
    async with serving(echo.handle) as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncIterator[InvokeAIClient]:
    async with InvokeAIClient.from_url(url, token="own", retries=0) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "params", "sent"),
    [
        ("/api/x", {"a": ["b", "c"]}, "/api/x?a=b&a=c"),
        ("/api/x", {"a": (True, 1)}, "/api/x?a=true&a=1"),
        ("/api/x", {"a": [], "b": None}, "/api/x"),
        ("/api/x?a=1&b", {"a": 2, "c": False}, "/api/x?a=1&a=2&b=&c=false"),
        ("/api/x?a=%20y", None, "/api/x?a=+y"),
        ("api/a b#c", None, "/api/a%20b%23c"),
        ("/api/a%20b%2Fc", None, "/api/a%20b%2Fc"),
        ("/api/100%/Größe", None, "/api/100%25/Gr%C3%B6%C3%9Fe"),
    ],
)
async def test_what_is_sent_is_what_was_written(
    client: InvokeAIClient, echo: Echo, path: str, params: Any, sent: str
) -> None:
    await client.aio.request("GET", path, params=params)
    assert echo.requests[0].raw_path == sent


@pytest.mark.parametrize("path", ["/api/a\nb", "/api/a\0", "/api/x?a=\r\nb", "http://elsewhere/x", None])
async def test_a_path_that_is_none_is_refused(client: InvokeAIClient, echo: Echo, path: Any) -> None:
    with pytest.raises(errors.UnsafePathError):
        await client.aio.request("GET", path)
    assert echo.requests == []


@pytest.mark.parametrize(
    "what",
    [
        {"method": "GE T"},
        {"method": ""},
        {"method": "G\r\nET"},
        {"method": None},
        {"headers": {"X": f"{SECRET}\r\nY: z"}},
        {"headers": {"X\n": "y"}},
        {"headers": {"X": 1}},
        {"headers": ["X"]},
        {"params": {"a": {"b": SECRET}}},
        {"params": {"a": [None]}},
        {"params": {"a": SECRET.encode()}},
        {"params": "a=b"},
    ],
    ids=repr,
)
async def test_what_http_cannot_carry_is_refused_and_not_shown(
    client: InvokeAIClient, echo: Echo, what: dict[str, Any]
) -> None:
    with pytest.raises(errors.InvalidRequestError) as caught:
        await client.aio.request(**{"method": "GET", "path": "/api/x", **what})
    assert isinstance(caught.value, ValueError)
    assert SECRET not in str(caught.value)
    assert echo.requests == []


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), "5"])
async def test_no_time_to_wait_is_refused(client: InvokeAIClient, timeout: Any) -> None:  # noqa: ASYNC109
    with pytest.raises(errors.SettingsError, match="seconds above 0"):
        await client.aio.request("GET", "/api/x", timeout=timeout)


async def test_the_caller_s_headers_win(client: InvokeAIClient, echo: Echo) -> None:
    own = {"authorization": "Basic abc", "content-type": "application/merge-patch+json", "ACCEPT": "text/csv"}
    echo.headers = {"X-Refreshed-Token": "of somebody else"}
    await client.aio.request("PATCH", "/api/x", json={"a": 1}, headers=own)
    for name, value in own.items():
        assert echo.requests[0].headers.getall(name) == [value]
    echo.headers = {}
    await client.aio.request("GET", "/api/x")
    assert echo.requests[-1].headers["Authorization"] == "Bearer own"


@pytest.mark.parametrize(
    "what",
    [
        {"path": "/api/v1/auth/login", "json": {"word": SECRET}},
        {"path": f"/api/v2/x?access_token={SECRET}"},
        {"path": "/api/v2/x", "params": {"ClientSecret": SECRET}},
        {"path": "/api/v2/x", "json": {"source": {"access_token": SECRET}}},
        {"path": "/api/v2/x", "json": [{"password": SECRET}]},
        {"path": "/api/v2/x", "params": {"key": SECRET}, "headers": {"Authorization": "Basic abc"}},
    ],
)
async def test_what_holds_a_secret_is_quoted_by_no_error(
    client: InvokeAIClient, echo: Echo, what: dict[str, Any]
) -> None:
    echo.status = 422
    with pytest.raises(errors.RejectedError) as caught:
        await client.aio.request("POST", **what)
    assert SECRET not in "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))


async def test_what_needs_no_token_is_asked_without_a_login(url: str, echo: Echo) -> None:
    async with InvokeAIClient.from_url(url, email="a@b.c", password="p") as client:
        await client.aio.request("GET", "/api/v1/app/version")
        await client.aio.request("GET", "/api/v1/x", headers={"Authorization": "Basic abc"})
    assert [request.path for request in echo.requests] == ["/api/v1/app/version", "/api/v1/x"]


async def test_a_status_of_another_shape_comes_as_it_is(client: InvokeAIClient) -> None:
    response = await client.aio.request("GET", "/api/v1/queue/default/status")
    assert response.json() == {"detail": [{"loc": ["body"], "msg": "no", "input": ""}]}


@pytest.mark.parametrize("name", ["api_key", "apiKey", "hf_token", "client_secret", "credentials"])
async def test_what_is_secret_is_known_by_its_name(client: InvokeAIClient, echo: Echo, name: str) -> None:
    echo.status = 422
    with pytest.raises(errors.RejectedError) as caught:
        await client.aio.request("POST", "/api/x", params={name: SECRET}, json={"inner": {name: SECRET}})
    assert SECRET not in f"{caught.value} {caught.value.__dict__}"


@pytest.mark.parametrize("lost", [502, 503, 504])
async def test_a_deletion_is_repeated_and_what_is_gone_then_is_deleted(echo: Echo, url: str, lost: int) -> None:
    echo.statuses = [lost, 404]
    async with InvokeAIClient.from_url(url) as client:
        response = await client.aio.request("DELETE", "/api/v1/images/i/a.png")
        assert (response.status_code, response.content) == (204, b"")
        echo.statuses = [404]
        with pytest.raises(errors.NotFoundError):
            await client.aio.request("DELETE", "/api/v1/images/i/a.png")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_what_may_make_something_is_not_repeated(echo: Echo, url: str, method: str) -> None:
    echo.statuses = [503, 200]
    async with InvokeAIClient.from_url(url) as client:
        with pytest.raises(errors.ServerError) as caught:
            await client.aio.request(method, "/api/v1/boards/", json={})
    assert caught.value.may_have_been_applied
    assert len(echo.requests) == 1


@pytest.mark.parametrize("path", ["/api/v1/nope", "/api/v9/app/version"])
async def test_the_web_page_in_place_of_a_route_is_not_found(path: str) -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>", content_type="text/html")

    async with serving(page) as url, InvokeAIClient.from_url(url) as client:
        with pytest.raises(errors.NotFoundError, match=f"no route for GET {url}{path}"):
            await client.aio.request("GET", path)
        # Not all of the server is its API.
        assert (await client.aio.request("GET", "/docs")).text == "<html>"


async def test_a_whole_url_is_refused_and_shown_without_its_login(client: InvokeAIClient, echo: Echo) -> None:
    with pytest.raises(errors.UnsafePathError, match=r"http://\.\.\.@host:1/x") as caught:
        await client.aio.request("GET", f"http://me:{SECRET}@host:1/x")
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert echo.requests == []
