"""Who the client is, against a server with one user."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client import InvokeAIClient

USER = {"user_id": "u", "email": "di@example.org"}


class OneUser:
    """A server that knows one user by a password and by the latest token."""

    def __init__(self) -> None:
        self.password = "first"
        self.tokens = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/auth/login"):
            if (await request.json())["password"] != self.password:
                return web.json_response({"detail": "Incorrect email or password"}, status=401)
            self.tokens += 1
            return web.json_response({"token": f"t{self.tokens}", "user": USER, "expires_in": 1})
        if request.headers.get("Authorization") != f"Bearer t{self.tokens}":
            return web.json_response({"detail": "Invalid token"}, status=401)
        if request.method == "PATCH":
            self.password = (await request.json())["new_password"]
            self.tokens += 1
        return web.json_response(USER)


@pytest.fixture
async def server() -> AsyncIterator[OneUser]:
    server = OneUser()
    async with serving(server.handle) as server.url:
        yield server


async def test_a_new_password_is_the_one_of_the_next_logins(server: OneUser) -> None:
    async with InvokeAIClient.from_url(server.url, email="di@example.org", password="first") as client:
        await client.aio.auth.update_me(current_password="first", new_password="second")
        assert server.tokens == 3, "the second is of no use any more, as the password has changed"
        server.tokens += 1
        assert (await client.aio.auth.get_me()).email == "di@example.org"
    assert server.tokens == 5
