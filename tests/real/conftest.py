"""The real server in both of its modes: with nobody to log in, and with several users."""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.local import LocalServer

ADMIN = ("root@example.org", "Tiger-Cub-2026")
ANN = ("ann@example.org", "Otter-Pup-2026")
BOB = ("bob@example.org", "Lynx-Kit-2026")


def client_of(server: LocalServer, user: tuple[str, str], **settings: Any) -> InvokeAIClient:
    return InvokeAIClient.from_url(server.url, email=user[0], password=user[1], **settings)


def token_of(client: InvokeAIClient, user: tuple[str, str]) -> str:
    """Return a new token of a user."""
    answer = client.request("POST", "/api/v1/auth/login", json={"email": user[0], "password": user[1]})
    token: str = answer.json()["token"]
    return token


@functools.cache
def first_token_of(url: str, user: tuple[str, str]) -> str:
    with InvokeAIClient.from_url(url) as client:
        return token_of(client, user)


def client_with_token(server: LocalServer, user: tuple[str, str], **settings: Any) -> InvokeAIClient:
    """Return a client that begins with a token, as it takes the server a fifth of a second to check a password."""
    return client_of(server, user, token=first_token_of(server.url, user), **settings)


@contextlib.contextmanager
def server_with_users(root: Path, **config: Any) -> Iterator[LocalServer]:
    """A running server in multi-user mode, with an administrator, two users, and the tests' own nodes."""
    local = LocalServer(root, config={"multiuser": True, **config})
    shutil.copytree(Path(__file__).parents[1] / "node_pack", local.nodes_folder / "test_nodes")
    with local:
        with InvokeAIClient.from_url(local.url) as client:
            assert client.auth.get_status().setup_required
            assert client.auth.setup(*ADMIN, display_name="Root").is_admin
            assert client.auth.login(*ADMIN).email == ADMIN[0]
            for user in (ANN, BOB):
                client.auth.create_user(*user, display_name=user[0][:3])
        yield local


@pytest.fixture(scope="session")
def shared(server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server with users, and with all that the one without has."""
    with InvokeAIClient.from_url(server.url) as client:
        tiny_model = client.dnn_model_repo.resolve(base="sd-1", type="main")["source"]
    with server_with_users(tmp_path_factory.mktemp("shared"), allow_private_download_urls=True) as local:
        with client_of(local, ADMIN) as client:
            client.dnn_model_repo.install_model(tiny_model, inplace=True).wait_until(60)
        yield local


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module with `SEEN_BY` has its client be each of these in turn."""
    seen_by = getattr(metafunc.module, "SEEN_BY", None)
    if seen_by and "seen_by" in metafunc.fixturenames:
        metafunc.parametrize("seen_by", seen_by)


@pytest.fixture
def seen_by() -> str:
    """Who the client is: "anyone" of a server without users, or "a user" or "an administrator" of one with several."""
    return "anyone"


@pytest.fixture
def its_server(seen_by: str, request: pytest.FixtureRequest) -> LocalServer:
    """The server that `client` talks to."""
    server: LocalServer = request.getfixturevalue("server" if seen_by == "anyone" else "shared")
    return server


@pytest.fixture
def connect(seen_by: str, its_server: LocalServer) -> Callable[..., InvokeAIClient]:
    """Makes clients such as `client`, with more settings."""
    if seen_by == "anyone":
        return lambda **settings: InvokeAIClient.from_url(its_server.url, **settings)
    user = ANN if seen_by == "a user" else ADMIN
    return lambda **settings: client_with_token(its_server, user, **settings)


@pytest.fixture
def client(connect: Callable[..., InvokeAIClient]) -> Iterator[InvokeAIClient]:
    with connect() as client:
        yield client


@pytest.fixture(scope="session")
def video(server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of black, made with the server's own libraries."""
    path = tmp_path_factory.mktemp("video") / "black.mp4"
    code = (
        "import sys, numpy, imageio\n"
        "with imageio.get_writer(sys.argv[1], fps=8) as writer:\n"
        "    for _ in range(8): writer.append_data(numpy.zeros((64, 64, 3), 'uint8'))\n"
    )
    subprocess.run([server.python, "-c", code, path], check=True, capture_output=True)
    return path
