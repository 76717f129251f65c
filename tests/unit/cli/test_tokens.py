from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client.cli.app import run
from invokeai_py_client.cli.commands import GlobalOptions
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.session import Session
from invokeai_py_client.cli.tokens import read_token, store_token, tokens_path
from invokeai_py_client.secret import Secret

HERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INVOKEAI_URL", "INVOKEAI_TOKEN", "INVOKEAI_EMAIL", "INVOKEAI_PASSWORD", "INVOKEAI_CLIENT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_tokens_are_kept_by_server_and_can_be_forgotten() -> None:
    store_token(HERE, "t-here")
    store_token("http://x", "t-x")
    assert (read_token(HERE), read_token("http://x"), read_token("http://y")) == ("t-here", "t-x", None)
    store_token(HERE, None)
    assert (read_token(HERE), read_token("http://x")) == (None, "t-x")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_only_the_owner_can_read_them() -> None:
    umask = os.umask(0)
    try:
        store_token(HERE, "t")
        store_token(HERE, "t")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(tokens_path().stat().st_mode) == 0o600
    assert {path.name for path in tokens_path().parent.iterdir()} == {"tokens.json", "tokens.lock"}


def test_concurrent_logins_keep_all_tokens() -> None:
    # A thread is as good as a process: each login opens the lock file anew.
    with ThreadPoolExecutor(4) as logins:
        [*logins.map(lambda number: store_token(f"http://x{number}", "t"), range(40))]
    assert len(json.loads(tokens_path().read_text(encoding="utf-8"))) == 40


@pytest.mark.parametrize("text", ['{"s3cret', '["s3cret"]'])
def test_a_damaged_file_is_explained_without_its_tokens(text: str) -> None:
    tokens_path().parent.mkdir()
    tokens_path().write_text(text, encoding="utf-8")
    with pytest.raises(Failure, match="cannot be read") as caught:
        read_token(HERE)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "variable", "expected"),
    [
        ({"url": HERE}, None, "t-stored"),
        ({"url": HERE, "token": "t-option"}, None, "t-option"),
        ({"url": HERE}, "t-environment", "t-environment"),
        ({"url": "http://127.0.0.1:8"}, None, None),
    ],
)
def test_what_is_nearer_comes_before_the_stored_token(
    options: dict[str, str], variable: str | None, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_token(HERE, "t-stored")
    if variable:
        monkeypatch.setenv("INVOKEAI_TOKEN", variable)
    token = Session(GlobalOptions(url=options["url"], token=options.get("token"))).settings.token
    assert (token.reveal() if isinstance(token, Secret) else None) == expected


async def test_login_stores_what_the_server_gives_and_later_commands_send_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import asyncio
    import io

    seen: list[tuple[str, str | None]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.path, request.headers.get("Authorization")))
        if request.path.endswith("/auth/login"):
            body = await request.json()
            if body["password"] != "pass word":
                return web.json_response({"detail": "Incorrect email or password"}, status=401)
            return web.json_response({"token": "t0ken", "user": {}, "expires_in": 86400})
        if request.path.endswith("/app/version"):
            return web.json_response({"version": "6.14.2"})
        return web.json_response([])

    async with serving(answer) as url:
        monkeypatch.setattr("sys.stdin", io.StringIO("wrong\n"))
        assert await asyncio.to_thread(run, ["login", "--email", "ann@x.org", "--url", url]) == 4
        assert json.loads(capsys.readouterr().out)["error"]["code"] == "unauthorized"
        monkeypatch.setattr("sys.stdin", io.StringIO("pass word\n"))
        assert await asyncio.to_thread(run, ["login", "--email", "ann@x.org", "--url", url, "--verbose"]) == 0
        out, err = capsys.readouterr()
        assert "t0ken" not in out + err
        assert "pass word" not in out + err
        assert await asyncio.to_thread(run, ["boards", "list", "--url", url]) == 0
        assert seen[-1] == ("/api/v1/boards/", "Bearer t0ken")
        assert await asyncio.to_thread(run, ["logout", "--url", url]) == 0
    assert read_token(url) is None
