from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client.cli.commands import GlobalOptions
from invokeai_py_client.cli.config import Profile, config_path, read_profile
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.session import Session
from invokeai_py_client.secret import Secret

CONFIG = """
default_profile = "here"
[profiles.here]
url = "http://127.0.0.1:9999"
token = "t-here"
[profiles.studio]
url = "https://studio.example.org"
token = "t-studio"
board = "tigers"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("INVOKEAI_URL", "INVOKEAI_TOKEN", "INVOKEAI_EMAIL", "INVOKEAI_PASSWORD", "INVOKEAI_CLIENT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = config_path()
    assert path == tmp_path / "invokeai-client" / "config.toml"
    path.parent.mkdir()
    return path


def settings_of(**options: Any) -> tuple[str, str | None, str | None]:
    """The address, token and board that a command would use."""
    settings = Session(GlobalOptions(**options)).settings
    token = settings.token
    return settings.url, token.reveal() if isinstance(token, Secret) else None, settings.default_board


def test_without_a_file_there_is_no_profile(config: Path) -> None:
    assert read_profile(None) == Profile()
    assert settings_of() == ("http://127.0.0.1:9090", None, None)
    with pytest.raises(Failure, match="no profile 'studio'"):
        read_profile("studio")


def test_the_default_profile_is_the_last_resort(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(CONFIG, encoding="utf-8")
    assert settings_of() == ("http://127.0.0.1:9999", "t-here", None)
    monkeypatch.setenv("INVOKEAI_URL", "http://127.0.0.1:7777")
    assert settings_of() == ("http://127.0.0.1:7777", None, None)


def test_a_profile_that_is_named_comes_before_the_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(CONFIG, encoding="utf-8")
    monkeypatch.setenv("INVOKEAI_URL", "http://127.0.0.1:7777")
    monkeypatch.setenv("INVOKEAI_TOKEN", "t-environment")
    assert settings_of(profile="studio") == ("https://studio.example.org", "t-studio", "tigers")


def test_a_token_goes_to_its_own_server_only(config: Path) -> None:
    config.write_text(CONFIG, encoding="utf-8")
    assert settings_of(url="http://127.0.0.1:5555") == ("http://127.0.0.1:5555", None, None)
    assert settings_of(url="http://127.0.0.1:5555", token="mine")[1] == "mine"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("default_profile = [", "is not TOML"),
        ('default_profile = "gone"', "has no profile 'gone'"),
        ('default_profile = "a"\n[profiles.a]\nurll = "x"', "unknown key 'urll'"),
        ('default_profile = "a"\n[profiles.a]\nurl = 3', "is not text"),
        ('default_profile = ["a"]', "is not text"),
    ],
)
def test_a_wrong_file_is_explained_without_its_secrets(config: Path, text: str, why: str) -> None:
    config.write_text(text + '\n# token = "s3cret"', encoding="utf-8")
    with pytest.raises(Failure) as caught:
        read_profile(None)
    assert why in caught.value.message
    assert "s3cret" not in caught.value.message


def test_a_user_without_a_home_has_no_configuration(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert settings_of(url="http://127.0.0.1:5555") == ("http://127.0.0.1:5555", None, None)
    with pytest.raises(Failure, match="no home directory"):
        read_profile("studio")
    monkeypatch.setenv("INVOKEAI_CLIENT_CONFIG", "~no-such-user/config.toml")
    with pytest.raises(Failure, match="no home directory"):
        read_profile(None)
