from __future__ import annotations

import sys
from pathlib import Path

import pytest

from invokeai_py_client.errors import SettingsError
from invokeai_py_client.fleet.server import Server
from invokeai_py_client.fleet.servers_file import read_servers
from invokeai_py_client.secret import Secret

FLEET = """
[[server]]
url = "gpu1:9090/"

[[server]]
url = "http://gpu2:9090"
name = "the big one"
slots = 2
token_env = "GPU2_TOKEN"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fleet.toml"


def test_the_servers_come_in_order(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPU2_TOKEN", "s3cret")
    path.write_text(FLEET, encoding="utf-8")
    servers = read_servers(path)
    assert servers == [
        Server("http://gpu1:9090"),
        Server("http://gpu2:9090", name="the big one", slots=2, token="s3cret"),
    ]
    assert "s3cret" not in repr(servers)


def test_a_stored_token_is_for_servers_that_have_none_in_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPU2_TOKEN", "from the environment")
    path.write_text(FLEET, encoding="utf-8")
    asked: list[str] = []

    def token_of(url: str) -> Secret:
        asked.append(url)
        return Secret("stored")

    assert [server.token for server in read_servers(path, token_of=token_of)] == ["stored", "from the environment"]
    assert asked == ["http://gpu1:9090"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_token_in_the_file_is_taken_only_if_nobody_else_can_read_it(path: Path) -> None:
    path.write_text('[[server]]\nurl = "http://a"\ntoken = "s3cret"', encoding="utf-8")
    for mode in (0o644, 0o640, 0o620, 0o604):
        path.chmod(mode)
        with pytest.raises(SettingsError, match=f"chmod 600 {path}") as caught:
            read_servers(path)
        assert "s3cret" not in str(caught.value)
    path.chmod(0o600)
    (server,) = read_servers(path)
    assert server.token == "s3cret"


@pytest.mark.parametrize(
    ("text", "setting", "said"),
    [
        ("[[server]", "fleet", "is not TOML"),
        ("", "server", "lists no servers"),
        ("[server]\nurl = 'http://a'", "server", "two brackets"),
        ("server = [1]", "server", "lists no servers"),
        ("[[servers]]\nurl = 'http://a'", "servers", "unknown key 'servers'"),
        ("[[server]]\nname = 'a'", "url", "[[server]] 1 of {path} has no url"),
        ("[[server]]\nurl = 'http://a'\n[[server]]\nurl = 3", "url", "'url' of [[server]] 2 of {path} is not text"),
        ("[[server]]\nurl = 'ftp://a'", "url", "[[server]] 1 of {path}: "),
        ("[[server]]\nurl = 'http://a'\nslot = 2", "slot", "Did you mean 'slots'?"),
        ("[[server]]\nurl = 'http://a'\nx = 2", "x", "Keys: url, name, token_env, token, slots."),
        ("[[server]]\nurl = 'http://a'\nslots = 0", "slots", "integer of at least 1, got 0. Use 1 or more."),
        ("[[server]]\nurl = 'http://a'\nslots = '2'", "slots", "integer of at least 1"),
        ("[[server]]\nurl = 'http://a'\ntoken_env = 'NO_SUCH'", "token_env", "Set NO_SUCH to the token"),
        ("[[server]]\nurl = 'http://a'\ntoken_env = 'A'\ntoken = 'b'", "token", "both token and token_env"),
        ("[[server]]\nurl = 'http://a'\n[[server]]\nurl = 'a/'", "url", "the same url as [[server]] 1: 'http://a'"),
        (
            "[[server]]\nurl = 'http://a'\nname = 'x'\n[[server]]\nurl = 'http://b'\nname = 'x'",
            "name",
            "the same name as [[server]] 1: 'x'",
        ),
    ],
)
def test_a_wrong_file_is_explained(path: Path, text: str, setting: str, said: str) -> None:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_servers(path)
    assert said.format(path=path) in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.setting == setting
    assert caught.value.hint


def test_a_file_that_cannot_be_read(path: Path) -> None:
    with pytest.raises(SettingsError, match=r"There is no file .*fleet\.toml"):
        read_servers(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"fleet\.toml cannot be read"):
        read_servers(path)
